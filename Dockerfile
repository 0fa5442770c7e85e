# One binary on a slim image, run by a user who owns nothing but the data directory.
#
#   docker build -t hookhaven .
#   docker run -p 8080:8080 -v hookhaven-data:/var/lib/hookhaven \
#     -v ./hookhaven.toml:/etc/hookhaven/hookhaven.toml:ro -e STRIPE_WEBHOOK_SECRET hookhaven

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --profile dist --locked --package hookhaven --bin hookhaven

FROM debian:bookworm-slim
# Root certificates, for destinations behind HTTPS.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --no-create-home --uid 10001 --shell /usr/sbin/nologin hookhaven \
 && install -d -o hookhaven -g hookhaven -m 0700 /var/lib/hookhaven
COPY --from=build /src/target/dist/hookhaven /usr/local/bin/hookhaven
COPY packaging/container.toml /etc/hookhaven/hookhaven.toml

USER hookhaven
WORKDIR /var/lib/hookhaven
VOLUME /var/lib/hookhaven
EXPOSE 8080
# SIGTERM drains: what is under way is finished or handed back before the process ends.
STOPSIGNAL SIGTERM
# The image has no HTTP client; bash can ask the admin side from inside.
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8081 && printf 'GET /healthz HTTP/1.0\\r\\nHost: 127.0.0.1:8081\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
ENTRYPOINT ["hookhaven"]
CMD ["serve", "--config", "/etc/hookhaven/hookhaven.toml"]
