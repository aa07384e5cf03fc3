"""Other packages' pages in this site's dress. Only superusers keep them."""

from __future__ import annotations

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

for theirs in (
    User,
    Group,
    AuthToken,
    PeriodicTask,
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    SolarSchedule,
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
