-- One row per person and period with at least one to-do, placed by when the to-do was set. Shares from 0 to 1.
-- period      varchar      optional, default: all; 'week' (from Monday) or 'month', in UTC
-- since       timestamptz  optional, default: everything; to-dos set at or after it
-- until       timestamptz  optional, default: everything; to-dos set before it
with of_people as (
    select
        coalesce(ids.person_id, todos.agent_id) as person_id,
        todos.created_at,
        case when todos.status = 'complete' then 1 else 0 end as is_complete
    from todos
    left join agent_ids as ids on ids.agent_id = todos.agent_id
    where todos.agent_id is not null
),
placed as (
    select
        *,
        case coalesce(getvariable('period'), 'all')
            when 'week' then date_trunc('week', created_at)
            when 'month' then date_trunc('month', created_at)
        end as period_start
    from of_people
    where created_at >= coalesce(getvariable('since'), timestamptz '1970-01-01T00:00:00Z')
        and created_at < coalesce(getvariable('until'), timestamptz '2970-01-01T00:00:00Z')
),
per_person as (
    select
        person_id,
        period_start,
        count(*) - sum(is_complete) as open_todos,
        avg(is_complete) as todo_completion_rate,
        max(created_at) as newest_todo
    from placed
    group by person_id, period_start
),
ordered as (
    select * from per_person order by person_id, period_start
)
select * from ordered
