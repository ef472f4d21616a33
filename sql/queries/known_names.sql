-- One row per kind and name that a filter can choose: teams, agents, rubrics, sources, grade types.
-- kind        varchar      optional, default: all kinds
with names as (
    select 'team' as kind, group_name as name from team_members
    union
    select 'team', group_id from team_members
    union
    select 'agent', agent_name from agents
    union
    select 'agent', agent_email from agents
    union
    select 'agent', agent_id from agent_ids
    union
    select 'agent', person_id from agents
    union
    select 'rubric', rubric_name from total_scores where coalesce(getvariable('kind'), 'rubric') = 'rubric'
    union
    select 'rubric', rubric_id from total_scores where coalesce(getvariable('kind'), 'rubric') = 'rubric'
    union
    select 'source', source from total_scores where coalesce(getvariable('kind'), 'source') = 'source'
    union
    select 'grade_type', grade_type from total_scores where coalesce(getvariable('kind'), 'grade_type') = 'grade_type'
),
wanted as (
    select kind, name
    from names
    where name is not null and coalesce(getvariable('kind'), kind) = kind
    order by kind, name
)
select * from wanted
