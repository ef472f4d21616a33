-- One row per to-do that is not done, with the person who is to do it, and the ticket it is about where it names a grade.
-- days is how long it has been open, to the newest record in the database.
-- since       timestamptz  optional, default: everything; to-dos created at or after it
-- until       timestamptz  optional, default: everything; to-dos created before it
-- team        varchar      optional, a group's name or id
-- agent       varchar      optional, a person's name, e-mail address or any of their ids
with newest as (
    select max(moment) as observed_until
    from (
        select max(created_at) as moment from todos
        union all
        select max(updated_at) from todos
        union all
        select max(date_graded) from total_scores
    ) as moments
),
unfinished as (
    select
        todos.id as todo_id, ids.person_id, todos.title, todos.description, todos.type, todos.creator_id,
        todos.created_at
    from todos
    join agent_ids as ids on ids.agent_id = todos.agent_id
    where coalesce(todos.status, '') <> 'complete'
        and todos.created_at >= coalesce(getvariable('since'), timestamptz '1970-01-01T00:00:00Z')
        and todos.created_at < coalesce(getvariable('until'), timestamptz '2970-01-01T00:00:00Z')
        and ids.person_id in (select person_id from filtered_people)
),
about as (
    select links.todo_id, min(links.grade_key) as grade_key
    from grade_todos as links
    group by links.todo_id
),
named as (
    select
        unfinished.person_id, agents.agent_name, unfinished.todo_id, unfinished.title, unfinished.description,
        unfinished.type, unfinished.creator_id, unfinished.created_at,
        greatest(0, (epoch(newest.observed_until) - epoch(unfinished.created_at)) / 86400) as days,
        scores.source, scores.gradable_id, about.grade_key
    from unfinished
    cross join newest
    left join agents on agents.person_id = unfinished.person_id
    left join about on about.todo_id = unfinished.todo_id
    left join total_scores as scores on scores.grade_key = about.grade_key
    order by unfinished.person_id, unfinished.created_at, unfinished.todo_id
)
select * from named
