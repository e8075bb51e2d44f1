"""Plumbing without a domain word: settings, logs, metrics, Kafka in and out, PostgreSQL, markers, workers, watchdog."""
