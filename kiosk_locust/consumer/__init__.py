"""The Kiosk's consumers as their source describes them: the files and forms that they accept.

After kiosk-redis-consumer 0.17.2. Shared by the checks before a run and the simulated Kiosk.
"""
