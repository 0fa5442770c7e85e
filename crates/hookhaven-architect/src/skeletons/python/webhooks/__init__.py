"""What every webhook goes through, whatever the framework."""
