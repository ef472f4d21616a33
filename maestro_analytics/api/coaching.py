"""To-dos, coaching points and coaching sessions, one by its id. Lists: `ApiClient.list_all`."""

from __future__ import annotations

from maestro_analytics.api import endpoints
from maestro_analytics.api.models import CoachingPoint, CoachingSession, Todo
from maestro_analytics.api.transport import Transport


class CoachingCalls(Transport):
    """The coaching part of the client. Each raises RequestRefused, status 404, when there is no such record."""

    def todo(self, id: str) -> Todo:
        """One to-do. Source: "Retrieve a Single To-do"."""
        return Todo.read(self.send(endpoints.GET_TODO, id=id))

    def coaching_point(self, id: str) -> CoachingPoint:
        """One coaching point. Source: "Retrieve a Single Coaching Point"."""
        return CoachingPoint.read(self.send(endpoints.GET_COACHING_POINT, id=id))

    def coaching_session(self, id: str) -> CoachingSession:
        """One coaching session. Source: "Retrieve a Single Coaching Session"."""
        return CoachingSession.read(self.send(endpoints.GET_COACHING_SESSION, id=id))
