"""File transfers: uploads to the Kiosk before a job, and downloads after it."""
