-- One row per group and person in it.
-- team        varchar      optional, a group's name or id
with members as (
    select group_id, group_name, person_id
    from team_members
    where coalesce(getvariable('team'), '') in ('', group_id, group_name)
),
ordered as (
    select * from members order by group_name, group_id, person_id
)
select * from ordered
