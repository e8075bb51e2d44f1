"""What is retried and what is not."""

import socket

import aiokafka.errors
import psycopg
import psycopg.errors
import psycopg_pool
import pytest
from balance_chassis.errors import BadRecord, FailureLimit, Fatal, is_transient


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("connection refused"),
        psycopg_pool.PoolTimeout(),
        psycopg.errors.SerializationFailure(),
        psycopg.errors.DeadlockDetected(),
        psycopg.errors.AdminShutdown(),
        psycopg.errors.TooManyConnections(),
        psycopg.errors.ReadOnlySqlTransaction(),
        aiokafka.errors.KafkaConnectionError(),
        aiokafka.errors.KafkaTimeoutError(),
        ConnectionResetError(),
        TimeoutError(),
        socket.gaierror(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_dependency_that_is_away_is_transient(error: Exception) -> None:
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.CardinalityViolation(),
        psycopg.errors.ConfigurationLimitExceeded(),
        psycopg.errors.ProgramLimitExceeded(),
        psycopg.errors.ObjectNotInPrerequisiteState(),
        psycopg.errors.NotNullViolation(),
        psycopg.errors.UndefinedTable(),
        aiokafka.errors.MessageSizeTooLargeError(),
        aiokafka.errors.CommitFailedError(),
        BadRecord("no"),
        FileNotFoundError(),
        ZeroDivisionError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_bug_is_not(error: Exception) -> None:
    assert not is_transient(error)


def test_twenty_errors_a_minute_are_borne_and_one_more_is_not() -> None:
    now = [0.0]
    limit = FailureLimit(most=20, window_s=60.0, clock=lambda: now[0])
    limit.admit(20)
    now[0] = 60.0
    limit.admit(20)
    now[0] = 119.0
    with pytest.raises(Fatal, match="at most 20") as ended:
        limit.admit()
    assert ended.value.exit_code == 70
