//! Chromium for the tests of the dashboard, from Debian's packages. Playwright, which drives it, comes with the npm
//! packages of `tests-clients/`, without a browser of its own.

use anyhow::{Result, bail};
use hookhaven_testbed::chromium::chromium;

use crate::command::{answers, apt_install};

/// Without a font, pages are empty boxes.
const PACKAGES: [&str; 2] = ["chromium", "fonts-dejavu-core"];

/// Installs it if there is none.
pub fn install() -> Result<()> {
    if let Ok(place) = chromium() {
        println!("a browser: {}", place.display());
        return Ok(());
    }
    if !answers("apt-get") {
        bail!("the tests need Chromium: install it and try again");
    }
    apt_install(&PACKAGES)?;
    chromium().map(|_| ())
}
