"""Steps of a run's finalization: functions from one frozen state to the next."""
