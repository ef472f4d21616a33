-- One row per live grade, with everything joined: the view grades, the week it counts in, its teams and what was
-- made of it. Scores in percent.
-- since       timestamptz  optional, default: everything; grades reported at or after it (date_reported_as)
-- until       timestamptz  optional, default: everything; grades reported before it
-- team        varchar      optional, a group's name or id
-- agent       varchar      optional, a person's name, e-mail address or any of their ids
-- rubric      varchar      optional, a rubric's name or id
-- source      varchar      optional, a helpdesk
-- grade_type  varchar      optional, default: grading; 'any' for all
-- week_zone   varchar      optional, default: UTC; the time zone in which weeks, months and days begin
with wanted_people as (
    select person_id from agent_ids where agent_id = coalesce(getvariable('agent'), '')
    union
    select person_id from agents where coalesce(getvariable('agent'), '') in (person_id, agent_name, agent_email)
),
wanted_team as (
    select person_id from team_members where coalesce(getvariable('team'), '') in (group_id, group_name)
),
chosen as (
    select *
    from grades
    where coalesce(date_reported_as, timestamptz '1970-01-01T00:00:00Z')
            >= coalesce(getvariable('since'), timestamptz '1970-01-01T00:00:00Z')
        and coalesce(date_reported_as, timestamptz '1970-01-01T00:00:00Z')
            < coalesce(getvariable('until'), timestamptz '2970-01-01T00:00:00Z')
        and coalesce(getvariable('grade_type'), 'grading') in ('any', grade_type)
        and coalesce(getvariable('rubric'), '') in ('', rubric_id, rubric_name)
        and coalesce(getvariable('source'), '') in ('', source)
        and (coalesce(getvariable('agent'), '') = '' or person_id in (select person_id from wanted_people))
        and (coalesce(getvariable('team'), '') = '' or person_id in (select person_id from wanted_team))
),
teams as (
    select person_id, min(group_name) as team, count(*) as teams from team_members group by person_id
),
points as (
    select grade_key, count(*) as coaching_points from grade_coaching_points group by grade_key
),
tasks as (
    select grade_key, count(*) as todos from grade_todos group by grade_key
),
joined as (
    select
        chosen.*,
        cast(date_trunc('week', chosen.date_reported_as at time zone coalesce(getvariable('week_zone'), 'UTC')) as date)
            as week,
        teams.team,
        coalesce(teams.teams, 0) as teams,
        coalesce(points.coaching_points, 0) as coaching_points,
        coalesce(tasks.todos, 0) as todos
    from chosen
    left join teams on teams.person_id = chosen.person_id
    left join points on points.grade_key = chosen.grade_key
    left join tasks on tasks.grade_key = chosen.grade_key
),
ordered as (
    select * from joined order by date_reported_as, grade_key
)
select * from ordered
