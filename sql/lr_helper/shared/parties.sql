-- the parties; the host leads: it adds what is public
SET VARIABLE duckpriv_protocol = 'lr_helper/2';
SET VARIABLE duckpriv_parameters = '';
SET VARIABLE guest_list = list_transform(string_split(getvariable('guests'), ','), lambda name: trim(name));
SET VARIABLE parties = list_prepend(getvariable('host'), getvariable('guest_list'));
SELECT require(len(list_distinct(list_append(getvariable('parties'), getvariable('helper')))) = len(getvariable('parties')) + 1,
               'host, guests and helper have to be different parties');

-- peers others = host, guests
-- peers other = host, guests
-- peers everybody = host, guests, helper
-- peers guest = guests

SET VARIABLE others = array_to_string(list_filter(getvariable('parties'), lambda name: name <> getvariable('me')), ',');
SET VARIABLE everybody = array_to_string(list_filter(list_append(getvariable('parties'), getvariable('helper')),
                                                     lambda name: name <> getvariable('me')), ',');
SET VARIABLE leads = getvariable('me') = getvariable('host');
