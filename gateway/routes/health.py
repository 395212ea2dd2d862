"""Health: alive, ready, and what the numbers are."""

from litestar import Response, get
from litestar.di import NamedDependency

from gateway.health import Health
from gateway.http import Answer, Operation

OPEN = Operation(refuses=(503,)).opt()


@get(["/health", "/health/ready"], operation_id="readiness", opt=dict(OPEN))
async def ready(health: NamedDependency[Health]) -> Answer:
    """Tell whether requests can be served: database, migrations, event store and Redis."""
    failures = await health.failures()
    status = "ok" if not failures else "unavailable"
    return Answer(
        {"status": status, "failing": failures},
        status_code=503 if failures else 200,
        media_type="application/json",
    )


@get("/health/live", operation_id="liveness", opt=Operation(refuses=()).opt())
async def live() -> Answer:
    """Tell that the process answers."""
    return Answer({"status": "ok"}, media_type="application/json")


@get("/health/metrics", operation_id="metrics", opt=Operation(refuses=()).opt())
async def metrics(health: NamedDependency[Health]) -> Response[bytes]:
    """Return gauges and counters in the Prometheus text format."""
    content, content_type = await health.metrics()
    return Response(content, media_type=content_type)


HANDLERS = [ready, live, metrics]
