from __future__ import annotations

from rest_framework import generics, serializers

from accounts.models import Stream

from .base import Api
from .filters import StreamFilter


class StreamSerializer(serializers.ModelSerializer):
    """A stream of a connection: whether balances come by it, and if not, why not."""

    state = serializers.ChoiceField(Stream.State.choices, source="shown_state")
    held_by = serializers.CharField(source="holder")

    class Meta:
        model = Stream
        fields = [
            "connection",
            "name",
            "state",
            "reason",
            "since",
            "lived_at",
            "next_try_at",
            "held_by",
            "lease_until",
            "frames",
            "connections",
            "requests",
        ]
        read_only_fields = fields


class StreamList(Api, generics.ListAPIView):
    """List the streams of connections, and which of them are live."""

    queryset = Stream.objects.all()
    serializer_class = StreamSerializer
    filterset_class = StreamFilter
    ordering = ("connection", "name")

    def get_queryset(self):
        return Stream.objects.of(self.request.user).in_use()
