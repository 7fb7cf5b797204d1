from django.db import models


class SetUpCode(models.Model):
    """The one row from which, with SECRET_KEY, the code for the first administrator is computed; gone after its use.

    Whoever can read the database alone does not know the code.
    """

    nonce = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="set_up_code_once")]

    def __str__(self) -> str:
        return f"set-up code of {self.created_at:%d %B %Y}"
