"""The Kiosk's consumers, modelled on their source: files and forms that they accept.

After kiosk-redis-consumer 0.17.2. Shared by the checks before a run and the simulated Kiosk.
"""
