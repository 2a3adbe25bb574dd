"""Celery workers: stages taken from the queue, done, published; and the reconciler that puts right what went wrong."""
