-- One row per group and person in it: who belongs to which team. A person in two groups counts in both.
-- A member without a known id is found by e-mail address, and by name as well where several people share the address.
with listed as (
    select group_id, group_name, unnest(agent_ids) as agent_id
    from agent_groups
),
addresses as (
    select lower(trim(agent_email)) as address, count(*) as people
    from agents
    where agent_email is not null
    group by lower(trim(agent_email))
),
members as (
    select listed.group_id, listed.group_name, ids.person_id
    from listed
    join agent_ids as ids on ids.agent_id = listed.agent_id
    union
    select groups.group_id, groups.group_name, agents.person_id
    from agent_groups as groups
    join addresses on addresses.address = lower(trim(groups.agent_email))
    join agents on lower(trim(agents.agent_email)) = addresses.address
    where addresses.people = 1 or lower(trim(agents.agent_name)) = lower(trim(groups.agent_name))
)
select * from members
