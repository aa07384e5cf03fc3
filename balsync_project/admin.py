"""Other packages' pages in this site's dress. Only superusers keep them."""

from __future__ import annotations

from axes.admin import AccessAttemptAdmin as PlainAttemptAdmin
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as PlainGroupAdmin
from django.contrib.auth.admin import UserAdmin as PlainUserAdmin
from django.contrib.auth.models import Group, User
from django_celery_beat.admin import ClockedScheduleAdmin as PlainClockedAdmin
from django_celery_beat.admin import CrontabScheduleAdmin as PlainCrontabAdmin
from django_celery_beat.admin import IntervalScheduleAdmin as PlainIntervalAdmin
from django_celery_beat.admin import PeriodicTaskAdmin as PlainTaskAdmin
from django_celery_beat.admin import PeriodicTaskForm, TaskSelectWidget
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from knox.admin import AuthTokenAdmin as PlainTokenAdmin
from knox.models import AuthToken
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.models import AuthenticatorApp

for theirs in (
    User,
    Group,
    AuthToken,
    PeriodicTask,
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    SolarSchedule,
    AccessAttempt,
    AccessFailureLog,
    AccessLog,
):
    admin.site.unregister(theirs)


@admin.register(User)
class UserAdmin(PlainUserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(PlainGroupAdmin, ModelAdmin):
    pass


@admin.register(AuthToken)
class AuthTokenAdmin(PlainTokenAdmin, ModelAdmin):
    list_display = ["token_key", "user", "created", "expiry"]


class TaskWidget(UnfoldAdminSelectWidget, TaskSelectWidget):
    """The choice of a task, in this site's dress."""


class TaskForm(PeriodicTaskForm):
    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = TaskWidget()


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(PlainTaskAdmin, ModelAdmin):
    form = TaskForm
    change_form_template = None  # theirs runs a script that stands in the page


@admin.register(ClockedSchedule)
class ClockedScheduleAdmin(PlainClockedAdmin, ModelAdmin):
    inlines = []  # the tasks have their own pages


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(PlainCrontabAdmin, ModelAdmin):
    inlines = []  # the tasks have their own pages


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(PlainIntervalAdmin, ModelAdmin):
    inlines = []  # the tasks have their own pages


@admin.register(SolarSchedule)
class SolarScheduleAdmin(ModelAdmin):
    pass


@admin.register(AccessAttempt)
class AccessAttemptAdmin(PlainAttemptAdmin, ModelAdmin):
    """Sign-ins that failed; without its row, a name may sign in again at once."""

    list_display = [
        "username",
        "ip_address",
        "failures_since_start",
        "attempt_time",
        "status",
    ]
    list_filter = []
    date_hierarchy = None
    actions = ["unlock"]
    fields = ["username", "ip_address", "user_agent", "failures_since_start"]
    fieldsets = None

    @admin.action(description="Unlock", permissions=["delete"])
    def unlock(self, request, rows) -> None:
        for row in rows:
            self.log_deletions(request, rows.filter(pk=row.pk))
        rows.delete()


@admin.register(AuthenticatorApp)
class AuthenticatorAppAdmin(ModelAdmin):
    """Second factors: a superuser may delete that of somebody whose phone is lost."""

    list_display = ["user", "confirmed", "created_at", "last_used_at"]
    search_fields = ["user__username"]
    fields = readonly_fields = ["user", "confirmed", "created_at", "last_used_at"]

    def has_add_permission(self, request) -> bool:
        return False

    def has_change_permission(self, request, obj=None) -> bool:
        return False
