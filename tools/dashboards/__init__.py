"""The one source of dashboards, alerts and the table of metrics."""
