from django.db import models


class SiteValue(models.Model):
    """Something that there is once on a site, such as its banner."""

    name = models.CharField(max_length=40, unique=True)
    value = models.JSONField()
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.name
