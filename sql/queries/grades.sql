-- One row per live grade, with everything joined: the view grades, the week it counts in, its teams and what was
-- made of it. Scores in percent.
-- Filters: the variables of the view filtered_grades.
-- week_zone   varchar      optional, default: UTC; the time zone in which weeks, months and days begin
with chosen as (
    select * from grades where grade_key in (select grade_key from filtered_grades)
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
