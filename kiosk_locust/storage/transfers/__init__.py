"""Files on their way: to the Kiosk before a job, and from it afterwards."""
