"""Cost of a run: node lifetimes times prices, from Grafana or Prometheus."""
