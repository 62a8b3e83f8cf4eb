"""HTTP below the Kiosk's API: one pool of sockets, exact times, typed failures."""
