-- One row per group and person in it: who belongs to which team. A person in two groups counts in both.
with listed as (
    select group_id, group_name, unnest(agent_ids) as agent_id
    from agent_groups
),
members as (
    select listed.group_id, listed.group_name, ids.person_id
    from listed
    join agent_ids as ids on ids.agent_id = listed.agent_id
    union
    select groups.group_id, groups.group_name, agents.person_id
    from agent_groups as groups
    join agents on lower(agents.person_id) = lower(groups.agent_email)
)
select * from members
