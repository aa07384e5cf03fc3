"""Events, what is chosen to be told, and what came of telling."""

from __future__ import annotations

import accounts.fields
import accounts.models.event
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0012_imported_history'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Channel',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('kind', models.CharField(choices=[('webhook', 'Webhook'), ('email', 'E-mail'), ('chat', 'Chat')], max_length=10)),
                ('name', models.CharField(max_length=100)),
                ('shown', models.CharField(editable=False, max_length=100)),
                ('address', accounts.fields.SealedJSONField(default=dict)),
                ('old_key_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('kinds', models.JSONField(blank=True, default=list, help_text='Empty: all that is chosen above.')),
                ('enabled', models.BooleanField(default=True)),
            ],
            options={
                'ordering': ['created'],
            },
        ),
        migrations.CreateModel(
            name='Event',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('kind', models.CharField(max_length=40)),
                ('phase', models.CharField(choices=[('once', 'once'), ('began', 'began'), ('again', 'again'), ('ended', 'ended')], max_length=5)),
                ('severity', models.CharField(choices=[('info', 'Info'), ('warning', 'Warning'), ('error', 'Error'), ('critical', 'Critical')], max_length=10)),
                ('subject_kind', models.CharField(max_length=20)),
                ('subject_id', models.UUIDField()),
                ('key', models.CharField(help_text='What events about the same thing share.', max_length=200)),
                ('text', models.TextField()),
                ('data', models.JSONField(default=dict)),
                ('routed_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('recipient', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('workspace', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='events', to='accounts.workspace')),
            ],
            options={
                'ordering': ['-created'],
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('channel_kind', models.CharField(choices=[('webhook', 'Webhook'), ('email', 'E-mail'), ('chat', 'Chat')], max_length=10)),
                ('channel_name', models.CharField(max_length=100)),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('delivered', 'Delivered'), ('given_up', 'Given Up'), ('held_back', 'Held Back')], default='pending', max_length=10)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('next_attempt_at', models.DateTimeField(default=django.utils.timezone.now, null=True)),
                ('delivered_at', models.DateTimeField(blank=True, null=True)),
                ('answer', models.CharField(blank=True, max_length=200)),
                ('channel', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='deliveries', to='accounts.channel')),
                ('recipient', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('event', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='accounts.event')),
            ],
            options={
                'verbose_name_plural': 'deliveries',
                'ordering': ['-created'],
            },
        ),
        migrations.CreateModel(
            name='Preference',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('kinds', models.JSONField(blank=True, default=list)),
                ('timezone', models.CharField(default='Europe/London', max_length=64, validators=[accounts.models.event.check_zone])),
                ('quiet_from', models.TimeField(blank=True, null=True)),
                ('quiet_until', models.TimeField(blank=True, help_text='Only what is critical is told before.', null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='preferences', to=settings.AUTH_USER_MODEL)),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='preferences', to='accounts.workspace')),
            ],
            options={
                'verbose_name': 'notification settings',
                'verbose_name_plural': 'notification settings',
                'ordering': ['created'],
            },
        ),
        migrations.AddField(
            model_name='channel',
            name='preference',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='channels', to='accounts.preference'),
        ),
        migrations.CreateModel(
            name='Threshold',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('low', accounts.fields.MinorUnits(blank=True, help_text='Told when less than this is available.', null=True)),
                ('change', accounts.fields.MinorUnits(blank=True, help_text='Told when the total changes by this.', null=True)),
                ('change_percent', models.DecimalField(blank=True, decimal_places=2, help_text='Of what was told before; both must be reached.', max_digits=7, null=True, validators=[django.core.validators.MinValueValidator(0)])),
                ('told_total', accounts.fields.MinorUnits(blank=True, editable=False, null=True)),
                ('told_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='thresholds', to='accounts.account')),
                ('preference', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='thresholds', to='accounts.preference')),
            ],
        ),
        migrations.CreateModel(
            name='Condition',
            fields=[
                ('key', models.CharField(max_length=200, primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=40)),
                ('subject_kind', models.CharField(max_length=20)),
                ('subject_id', models.UUIDField()),
                ('holds', models.BooleanField()),
                ('since', models.DateTimeField(null=True)),
                ('heard', models.BooleanField()),
                ('told', models.PositiveIntegerField()),
                ('told_at', models.DateTimeField(null=True)),
                ('severity', models.CharField(choices=[('info', 'Info'), ('warning', 'Warning'), ('error', 'Error'), ('critical', 'Critical')], max_length=10)),
                ('text', models.TextField()),
                ('data', models.JSONField(default=dict)),
                ('recipient', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.workspace')),
            ],
            options={
                'indexes': [models.Index(fields=['kind'], name='condition_by_kind')],
            },
        ),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(fields=['workspace', '-created'], name='event_by_time'),
        ),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(condition=models.Q(('routed_at', None)), fields=['created'], name='event_unrouted'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('status', 'pending')), fields=['next_attempt_at'], name='delivery_due'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.UniqueConstraint(fields=('event', 'channel'), name='one_delivery_per_channel'),
        ),
        migrations.AddConstraint(
            model_name='preference',
            constraint=models.UniqueConstraint(fields=('workspace', 'user'), name='one_preference_per_member'),
        ),
        migrations.AddConstraint(
            model_name='channel',
            constraint=models.UniqueConstraint(fields=('preference', 'name'), name='one_channel_per_name'),
        ),
        migrations.AddConstraint(
            model_name='threshold',
            constraint=models.UniqueConstraint(fields=('preference', 'account'), name='one_threshold_per_account'),
        ),
        migrations.AddConstraint(
            model_name='threshold',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('low__range', (-999999999999999999999999999999999999999999999999999999999999999999999999999999, 999999999999999999999999999999999999999999999999999999999999999999999999999999)), ('low__isnull', True), _connector='OR'), models.Q(('change__range', (0, 999999999999999999999999999999999999999999999999999999999999999999999999999999)), ('change__isnull', True), _connector='OR'), models.Q(('told_total__range', (-999999999999999999999999999999999999999999999999999999999999999999999999999999, 999999999999999999999999999999999999999999999999999999999999999999999999999999)), ('told_total__isnull', True), _connector='OR')), name='threshold_is_money'),
        ),
    ]
