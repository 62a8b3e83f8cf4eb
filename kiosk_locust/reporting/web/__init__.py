"""Web pages: the Kiosk tab, and pages of the present and of past runs."""
