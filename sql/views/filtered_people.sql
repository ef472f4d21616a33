-- One row per person whom the variables agent and team choose; every person where neither is set.
-- agent       varchar      optional, a person's name, e-mail address or any of their ids
-- team        varchar      optional, a group's name or id
select person_id
from agents
where (
        coalesce(getvariable('agent'), '') in ('', person_id, agent_name, agent_email)
        or person_id in (select person_id from agent_ids where agent_id = coalesce(getvariable('agent'), ''))
    )
    and (
        coalesce(getvariable('team'), '') = ''
        or person_id in (
            select person_id from team_members where coalesce(getvariable('team'), '') in (group_id, group_name)
        )
    )
