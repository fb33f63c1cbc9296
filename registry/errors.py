"""Everything this package raises on purpose.

* RegistryError
    * ArtifactRefused        a stored model is not what its version says it is
    * TrainingRefused        the bars cannot teach a model anything that could be checked
    * RegistryUnreachable    MLflow does not answer, or answers with a failure
    * VersionUnknown         no such model, or no such version of it
    * PromotionRefused       the version may not be promoted, because its gate refused it
"""

from __future__ import annotations


class RegistryError(Exception):
    """The root of every error this package raises on purpose."""


class ArtifactRefused(RegistryError):
    """A stored model is not what its version says it is; the running model stays."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TrainingRefused(RegistryError):
    """The bars cannot teach a model anything that could be checked afterwards."""


class RegistryUnreachable(RegistryError):
    """MLflow does not answer, or answers with a failure."""


class VersionUnknown(RegistryError):
    """The registry has no such model, or no such version of it."""


class PromotionRefused(RegistryError):
    """The version may not be promoted, because its gate refused it."""
