-- One row per to-do: whether it is done, and how many days that took or it has been open (to the newest record).
-- The vendor gives no date of completion: a done to-do counts as done when it was last changed.
-- since       timestamptz  optional, default: everything; to-dos created at or after it
-- until       timestamptz  optional, default: everything; to-dos created before it
-- team        varchar      optional, a group's name or id
-- agent       varchar      optional, a person's name, e-mail address or any of their ids
with of_people as (
    select
        todos.id as todo_id,
        ids.person_id,
        todos.creator_id,
        todos.status,
        todos.created_at,
        todos.updated_at
    from todos
    join agent_ids as ids on ids.agent_id = todos.agent_id
),
chosen as (
    select *
    from of_people
    where created_at >= coalesce(getvariable('since'), timestamptz '1970-01-01T00:00:00Z')
        and created_at < coalesce(getvariable('until'), timestamptz '2970-01-01T00:00:00Z')
        and person_id in (select person_id from filtered_people)
),
newest as (
    select max(moment) as observed_until
    from (
        select max(created_at) as moment from todos
        union all
        select max(updated_at) from todos
        union all
        select max(date_graded) from total_scores
    ) as moments
),
aged as (
    select
        chosen.*,
        coalesce(chosen.status, '') = 'complete' as done,
        greatest(
            0,
            (
                epoch(case when chosen.status = 'complete' then chosen.updated_at else newest.observed_until end)
                - epoch(chosen.created_at)
            ) / 86400
        ) as days
    from chosen
    cross join newest
),
named as (
    select agents.agent_name, aged.*
    from aged
    left join agents on agents.person_id = aged.person_id
)
select * from named
