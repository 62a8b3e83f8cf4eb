"""The Kiosk's HTTP API as typed calls with typed errors."""
