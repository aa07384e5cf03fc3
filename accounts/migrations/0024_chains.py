"""Blocks that balances are of, and what others may take of wallets."""

from __future__ import annotations

import accounts.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0023_trading'),
    ]

    operations = [
        migrations.AddField(
            model_name='snapshotkey',
            name='superseded_at',
            field=models.DateTimeField(blank=True, help_text='Since when its chain has another block there.', null=True),
        ),
        migrations.CreateModel(
            name='ChainState',
            fields=[
                ('account', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='chain', serialize=False, to='accounts.account')),
                ('number', models.BigIntegerField(verbose_name='block')),
                ('hash', models.CharField(max_length=80, verbose_name='block hash')),
                ('read_at', models.DateTimeField(help_text='When the chain was asked.')),
                ('unconfirmed', accounts.fields.MinorUnits(blank=True, help_text='The total with what is not final yet.', null=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('unconfirmed__range', (-999999999999999999999999999999999999999999999999999999999999999999999999999999, 999999999999999999999999999999999999999999999999999999999999999999999999999999)), ('unconfirmed__isnull', True), _connector='OR'), name='unconfirmed_is_money')],
            },
        ),
        migrations.CreateModel(
            name='Allowance',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('spender', models.CharField(max_length=100)),
                ('name', models.CharField(blank=True, max_length=100)),
                ('amount', accounts.fields.MinorUnits()),
                ('unlimited', models.BooleanField(default=False)),
                ('read_at', models.DateTimeField()),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='allowances', to='accounts.account')),
            ],
            options={
                'ordering': ['name', 'spender'],
                'constraints': [models.UniqueConstraint(fields=('account', 'spender'), name='one_allowance_per_spender'), models.CheckConstraint(condition=models.Q(models.Q(('amount__range', (0, 999999999999999999999999999999999999999999999999999999999999999999999999999999)), ('amount__isnull', True), _connector='OR'), ('amount__isnull', False)), name='allowance_is_money')],
            },
        ),
    ]
