"""To-dos, coaching points and coaching sessions: one record by its id. Lists: `ApiClient.list_all`."""

from __future__ import annotations

from typing import Any

from maestro_analytics.api import endpoints
from maestro_analytics.api.transport import Transport

RECORDS = {
    "todos": endpoints.GET_TODO,
    "coaching_points": endpoints.GET_COACHING_POINT,
    "coaching_sessions": endpoints.GET_COACHING_SESSION,
}


class CoachingCalls(Transport):
    """The coaching part of the client."""

    def record(self, name: str, id: str) -> dict[str, Any]:
        """One record of the list `name` as the vendor's JSON.

        Raises:
            RequestRefused: status 404: no record has this id.
        """
        answer = self.send(RECORDS[name], id=id)
        return answer if isinstance(answer, dict) else {}
