"""What was notified, and to whom."""

from __future__ import annotations

from rest_framework import generics, serializers

from accounts.models import Delivery, Event

from .base import Api
from .filters import EventFilter


class EventDeliverySerializer(serializers.ModelSerializer):
    """One channel that an event went over, or is on its way over."""

    recipient = serializers.CharField(source="recipient.username")

    class Meta:
        model = Delivery
        fields = [
            "id",
            "recipient",
            "channel_kind",
            "channel_name",
            "status",
            "attempts",
            "next_attempt_at",
            "delivered_at",
            "answer",
        ]
        read_only_fields = fields


class EventSubjectSerializer(serializers.Serializer):
    kind = serializers.CharField(source="subject_kind")
    id = serializers.UUIDField(source="subject_id")


class EventSerializer(serializers.ModelSerializer):
    """Something that happened; `phase` says whether it began, goes on, ended, or is over at once.

    Amounts within `data` are money objects of strings.
    """

    subject = EventSubjectSerializer(source="*", read_only=True)
    deliveries = EventDeliverySerializer(many=True, read_only=True)

    class Meta:
        model = Event
        fields = [
            "id",
            "workspace",
            "kind",
            "phase",
            "severity",
            "subject",
            "text",
            "data",
            "created",
            "deliveries",
        ]
        read_only_fields = fields


class EventList(Api, generics.ListAPIView):
    """List what happened, newest first, and who was told of it how."""

    queryset = Event.objects.all()
    serializer_class = EventSerializer
    filterset_class = EventFilter

    def get_queryset(self):
        rows = Event.objects.of(self.request.user)
        return rows.prefetch_related("deliveries__recipient")
