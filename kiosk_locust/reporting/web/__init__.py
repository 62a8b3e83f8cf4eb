"""What people look at in a browser: the Kiosk tab, the page of a run, live and past."""
