"""Domains: data, generator and judge that belong together. Registry: :data:`DOMAINS`."""

from model.domains.motion import MotionDomain, build_motion, dataset_of
from model.domains.registry import DOMAINS, all_data, all_metrics, all_models

__all__ = ["DOMAINS", "MotionDomain", "all_data", "all_metrics", "all_models", "build_motion", "dataset_of"]
