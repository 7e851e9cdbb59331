"""The settings of the bundled scripts, as types: an editor completes them and sees a wrong name.

Written from the scripts by `make docs`; do not edit.
"""
# ruff: noqa: E501
# fmt: off

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from os import PathLike
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    Protocol,
    Required,
    TypeAlias,
    TypedDict,
    TypeVar,
    Unpack,
    cast,
    overload,
)

if TYPE_CHECKING:
    from .result import Rows
    from .runner import Observer
    from .scripts import Script, Statement

_Given_co = TypeVar("_Given_co", covariant=True)
# A text as on the command line, or a number; of several columns a list of their names.
Setting: TypeAlias = str | int | float | date | Sequence[str]
# A name, a call of a table function, a file, or a frame or relation.
Table: TypeAlias = Any


class Options(TypedDict, total=False):
    """What `Party.run` takes beside a script's settings."""

    observer: Observer | None
    on_rows: Callable[[Statement, Rows], None] | None
    on_resume: Callable[[int, bool], None] | None
    progress: bool | None


class AggregateGuest(Options, total=False):
    """Of aggregate/guest."""

    peer: Required[Setting]  # the host's name
    table: Required[Table]  # your table or view
    groups: Setting  # your columns to group by, with commas between; empty: none
    duplicates: Setting  # = refuse; where several rows have the same id: refuse; first: only the first counts; all: each does, as in a JOIN, and the minimum is of persons. Only one party can have all, and none where both lack rows
    measures: Setting  # your columns of numbers to sum, with commas between; empty: none
    key: Setting  # your column of the ids; empty: the one that holds all ids of the alignment
    alignment: Setting  # = alignment; the name of the table that private matching left
    to: Setting  # = both; who gets the result: host, guest, or both; the same at both, as are the next five
    minimum: Setting  # = 20; what fewer rows have is opened to nobody
    totals: Setting  # = no; yes: totals, too
    epsilon: Setting  # = 0; more: each party adds noise to all counts and sums, together of this epsilon
    bits: Setting  # = 2048; size of the Paillier key
    sigma: Setting  # = 64; a sum is wrong with probability 2^-sigma, 40 at least
    decimals: Setting  # = 2; of columns of FLOAT and DOUBLE
    limits: Setting  # with epsilon: for each of your measures how far it goes; numbers beyond that are cut
    max_groups: Setting  # = 1000; refuse more groups than this, of either party
    max_measures: Setting  # = 100; refuse a peer with more measures than this; with 0 also one with duplicates=all
    result: Setting  # = aggregate; the name of the table with the result, in your current schema


class AggregateHost(Options, total=False):
    """Of aggregate/host."""

    peer: Required[Setting]  # the guest's name
    table: Required[Table]  # your table or view
    groups: Setting  # your columns to group by, with commas between; empty: none
    duplicates: Setting  # = refuse; where several rows have the same id: refuse; first: only the first counts; all: each does, as in a JOIN, and the minimum is of persons. Only one party can have all, and none where both lack rows
    measures: Setting  # your columns of numbers to sum, with commas between; empty: none
    key: Setting  # your column of the ids; empty: the one that holds all ids of the alignment
    alignment: Setting  # = alignment; the name of the table that private matching left
    to: Setting  # = both; who gets the result: host, guest, or both; the same at both, as are the next five
    minimum: Setting  # = 20; what fewer rows have is opened to nobody
    totals: Setting  # = no; yes: totals, too
    epsilon: Setting  # = 0; more: each party adds noise to all counts and sums, together of this epsilon
    bits: Setting  # = 2048; size of the Paillier key
    sigma: Setting  # = 64; a sum is wrong with probability 2^-sigma, 40 at least
    decimals: Setting  # = 2; of columns of FLOAT and DOUBLE
    limits: Setting  # with epsilon: for each of your measures how far it goes; numbers beyond that are cut
    max_groups: Setting  # = 1000; refuse more groups than this, of either party
    max_measures: Setting  # = 100; refuse a peer with more measures than this; with 0 also one with duplicates=all
    result: Setting  # = aggregate; the name of the table with the result, in your current schema


class LiftGuest(Options, total=False):
    """Of lift/guest."""

    peer: Required[Setting]  # the host's name
    table: Required[Table]  # your table or view: of the persons that were exposed or not, one row each; or of outcomes, any number of rows each
    arm: Setting  # your column that says who was treated; empty: the peer has it, and you name outcomes
    treatment: Setting  # = true; what stands there for the treatment
    control: Setting  # = false; and for the control; all others are left out
    segments: Setting  # with arm: your columns to group by, with commas between; empty: none
    outcomes: Setting  # without arm: your columns of numbers to sum, with commas between
    day: Setting  # with first_day: your column of the day of exposure, or of the outcome
    key: Setting  # your column of the ids; empty: the one that holds all ids of the alignment
    alignment: Setting  # = alignment; the name of the table that private matching left
    to: Setting  # = both; who gets the result: host, guest, or both; the same at both, as are the next eight
    population: Setting  # = all; whom means are of: all persons of the arm's party, or those matched
    first_day: Setting  # count only what comes after exposure, of exposures from this day on, as 2026-03-01; empty: count all outcomes
    last_day: Setting  # with first_day: and up to this day
    bucket: Setting  # = 7; with first_day: exposures of so many days go together; outcomes count after the last of them
    within: Setting  # = 0; with first_day: outcomes up to so many days later; 0: all later ones
    minimum: Setting  # = 20; what fewer persons are behind is opened to nobody
    bits: Setting  # = 2048; size of the Paillier key
    sigma: Setting  # = 64; a sum is wrong with probability 2^-sigma, 40 at least
    confidence: Setting  # = 0.95; of the intervals in the result
    decimals: Setting  # = 2; of columns of FLOAT and DOUBLE
    max_groups: Setting  # = 1000; refuse more pairs of group and days than this
    max_outcomes: Setting  # = 10; with arm: refuse a peer with more outcomes than this
    result: Setting  # = lift; the name of the table with the result, in your current schema


class LiftHost(Options, total=False):
    """Of lift/host."""

    peer: Required[Setting]  # the guest's name
    table: Required[Table]  # your table or view: of the persons that were exposed or not, one row each; or of outcomes, any number of rows each
    arm: Setting  # your column that says who was treated; empty: the peer has it, and you name outcomes
    treatment: Setting  # = true; what stands there for the treatment
    control: Setting  # = false; and for the control; all others are left out
    segments: Setting  # with arm: your columns to group by, with commas between; empty: none
    outcomes: Setting  # without arm: your columns of numbers to sum, with commas between
    day: Setting  # with first_day: your column of the day of exposure, or of the outcome
    key: Setting  # your column of the ids; empty: the one that holds all ids of the alignment
    alignment: Setting  # = alignment; the name of the table that private matching left
    to: Setting  # = both; who gets the result: host, guest, or both; the same at both, as are the next eight
    population: Setting  # = all; whom means are of: all persons of the arm's party, or those matched
    first_day: Setting  # count only what comes after exposure, of exposures from this day on, as 2026-03-01; empty: count all outcomes
    last_day: Setting  # with first_day: and up to this day
    bucket: Setting  # = 7; with first_day: exposures of so many days go together; outcomes count after the last of them
    within: Setting  # = 0; with first_day: outcomes up to so many days later; 0: all later ones
    minimum: Setting  # = 20; what fewer persons are behind is opened to nobody
    bits: Setting  # = 2048; size of the Paillier key
    sigma: Setting  # = 64; a sum is wrong with probability 2^-sigma, 40 at least
    confidence: Setting  # = 0.95; of the intervals in the result
    decimals: Setting  # = 2; of columns of FLOAT and DOUBLE
    max_groups: Setting  # = 1000; refuse more pairs of group and days than this
    max_outcomes: Setting  # = 10; with arm: refuse a peer with more outcomes than this
    result: Setting  # = lift; the name of the table with the result, in your current schema


class LrHelperGuest(Options, total=False):
    """Of lr_helper/guest."""

    table: Required[Table]  # your table or view, one row for each record
    host: Setting  # = host; the host's name
    guests: Setting  # = guest; the guests' names, with commas between, in the same order at all
    helper: Setting  # = helper; the helper's name
    id: Setting  # an id column that all tables share; empty: the alignment of private matching
    key: Setting  # with the alignment: your column of the ids; empty: the one that holds them all
    alignment: Setting  # = alignment; with the alignment: the name of the table that private matching left
    columns: Setting  # your feature columns, with commas between; empty: all numeric ones but the id
    kind: Setting  # = logistic; the model: logistic, identity (linear regression) or exp (Poisson regression)
    activation: Setting  # = blind; the helper sees nothing (blind), or every score, without its row (open)
    range: Setting  # with blind: the scores that are allowed, from -range to range: 6, 12, 24, …; kind=exp: from -2/3 to 1/3 of it. Empty: 24; with kind=exp 12, with kind=identity 384
    iterations: Setting  # = 100; how many steps, the same at all parties, as are the following
    batch: Setting  # = 1000; how many rows at most in a step
    learning_rate: Setting  # = 0.5; the length of a step
    decay: Setting  # = 0; the learning rate of step i is learning_rate / (1 + decay * (i - 1))
    l2: Setting  # = 0; how strongly weights are drawn to 0
    loss: Setting  # = auto; whether the host sees each step's loss: yes, no, or auto: only with id=…, as it tells how many rows of a batch are common
    reveal: Setting  # = own; who sees the weights: own (each party those of its features) or none (they stay shared)
    noise: Setting  # = 0.5; deviation of the noise on each row's part of the loss, where the host sees it
    accept_disclosure: Setting  # = no; yes: train although weights and losses may tell the parties each other's rows
    most_features: Setting  # = 10000; refuse to train with more features of all parties together
    result: Setting  # = model; the name of the table with the weights, in your current schema
    log: Setting  # = training_log; the name of the table with what each step did


class LrHelperHelper(Options, total=False):
    """Of lr_helper/helper."""

    host: Setting  # = host; the host's name
    guests: Setting  # = guest; the guests' names, with commas between, in the same order at all
    helper: Setting  # = helper; the helper's name, which is yours
    activation: Setting  # = blind; deal random numbers (blind), or also see every score, without its row (open): as the others have it
    most_rows: Setting  # = 10000000; refuse to deal for more rows: a number for each and each party has to fit into memory
    most_features: Setting  # = 10000; refuse to deal for more features of all parties together
    most_numbers: Setting  # = 20000000; refuse to deal for larger batches: rows times features of all parties
    most_iterations: Setting  # = 100000; refuse to deal for more steps


class LrHelperHost(Options, total=False):
    """Of lr_helper/host."""

    table: Required[Table]  # your table or view, one row for each record
    label: Required[Setting]  # its column with the label
    host: Setting  # = host; the host's name, which is yours
    guests: Setting  # = guest; the guests' names, with commas between, in the same order at all
    helper: Setting  # = helper; the helper's name
    id: Setting  # an id column that all tables share; empty: the alignments of private matching
    key: Setting  # with the alignments: your column of the ids; empty: the one that holds them all
    alignment: Setting  # = alignment; with the alignments: the name of the table that private matching left; with several guests, of one for each guest: this name, _ and the guest's
    columns: Setting  # your feature columns, with commas between; empty: all numeric ones but id and label
    kind: Setting  # = logistic; the model: logistic, identity (linear regression) or exp (Poisson regression)
    activation: Setting  # = blind; the helper sees nothing (blind), or every score, without its row (open)
    range: Setting  # with blind: the scores that are allowed, from -range to range: 6, 12, 24, …; kind=exp: from -2/3 to 1/3 of it. Empty: 24; with kind=exp 12, with kind=identity 384
    iterations: Setting  # = 100; how many steps, the same at all parties, as are the following
    batch: Setting  # = 1000; how many rows at most in a step
    learning_rate: Setting  # = 0.5; the length of a step
    decay: Setting  # = 0; the learning rate of step i is learning_rate / (1 + decay * (i - 1))
    l2: Setting  # = 0; how strongly weights are drawn to 0
    loss: Setting  # = auto; whether the host sees each step's loss: yes, no, or auto: only with id=…, as it tells how many rows of a batch are common
    reveal: Setting  # = own; who sees the weights: own (each party those of its features) or none (they stay shared)
    noise: Setting  # = 0.5; deviation of the noise on each row's part of the loss, where the host sees it
    accept_disclosure: Setting  # = no; yes: train although weights and losses may tell the parties each other's rows
    most_features: Setting  # = 10000; refuse to train with more features of all parties together
    result: Setting  # = model; the name of the table with the weights, in your current schema
    log: Setting  # = training_log; the name of the table with what each step did


class LrHelperPredictGuest(Options, total=False):
    """Of lr_helper/predict_guest."""

    table: Required[Table]  # your table or view with your features of the rows to score
    host: Setting  # = host; the host's name
    guests: Setting  # = guest; the guests' names, with commas between, in the same order at all
    helper: Setting  # = helper; the helper's name
    asker: Setting  # = host; who gets the scores: the host or one of the guests
    id: Setting  # an id column that all tables share; empty: the alignment of private matching
    key: Setting  # with the alignment: your column of the ids; empty: the one that holds them all
    alignment: Setting  # = alignment; with the alignment: the name of the table that private matching left
    model: Setting  # = model; the name of the table with the weights, as the training left it
    result: Setting  # = predictions; the name of the table with the scores, in your current schema
    unmatched: Setting  # = refuse; rows to score that we have no record of: refuse, or mean to take our mean, by which an asker that knows its weights can tell them
    most_features: Setting  # = 10000; refuse a model with more features of all parties together


class LrHelperPredictHelper(Options, total=False):
    """Of lr_helper/predict_helper."""

    host: Setting  # = host; the host's name
    guests: Setting  # = guest; the guests' names, with commas between, in the same order at all
    helper: Setting  # = helper; the helper's name, which is yours
    most_rows: Setting  # = 100000000; refuse to deal for more rows
    most_features: Setting  # = 10000; refuse to deal for more features of all parties together
    most_numbers: Setting  # = 20000000; refuse to deal for larger batches: rows times features of all parties


class LrHelperPredictHost(Options, total=False):
    """Of lr_helper/predict_host."""

    table: Required[Table]  # your table or view with the rows to score
    host: Setting  # = host; the host's name, which is yours
    guests: Setting  # = guest; the guests' names, with commas between, in the same order at all
    helper: Setting  # = helper; the helper's name
    asker: Setting  # = host; who gets the scores: the host or one of the guests
    id: Setting  # an id column that all tables share; empty: the alignments of private matching
    key: Setting  # with the alignments: your column of the ids; empty: the one that holds them all
    alignment: Setting  # = alignment; with the alignments: the name of the table that private matching left; with several guests, of one for each guest: this name, _ and the guest's
    model: Setting  # = model; the name of the table with the weights, as the training left it
    result: Setting  # = predictions; the name of the table with the scores, in your current schema
    batch: Setting  # = 10000; how many rows at most at a time
    most_features: Setting  # = 10000; refuse a model with more features of all parties together


class LrJointKeyAssistant(Options, total=False):
    """Of lr_joint_key/assistant."""

    host: Required[Setting]  # the host's name
    guest: Required[Setting]  # the guest's name
    modulus: Setting  # = assistant; as at the parties: assistant, or rsa-2048 if only gradients are passed on
    bits: Setting  # = 3072; size of the modulus


class LrJointKeyGuest(Options, total=False):
    """Of lr_joint_key/guest."""

    peer: Required[Setting]  # the host's name
    table: Required[Table]  # your table or view, one row for each record
    id: Setting  # an id column that both tables share; empty: the alignment of private matching
    key: Setting  # with the alignment: your column of the ids; empty: the one that holds them all
    alignment: Setting  # = alignment; with the alignment: the name of the table that private matching left
    columns: Setting  # your feature columns, with commas between; empty: all numeric ones but the id
    iterations: Setting  # = 20; how many steps, the same at both parties, as are the following
    batch: Setting  # = 10000; how many rows at most in a step
    learning_rate: Setting  # = 0.15; the length of a step
    l2: Setting  # = 0; how strongly weights are drawn to 0
    stop: Setting  # = 0; stop when the norm of neither party's gradient is above this; 0: never
    loss_every: Setting  # = 5; compute the loss in every so many steps, and in the last one; 0: never
    start: Setting  # = random; our first weights: random, small ones that hide our rows in the first step, or zero
    noise: Setting  # = 0.5; deviation of the noise on each residual, so that gradients tell less of single rows
    accept_disclosure: Setting  # = no; yes: train although the gradients may tell the parties each other's rows
    modulus: Setting  # = rsa-2048; modulus of the joint key: rsa-2048, or assistant for one that the assistant makes
    assistant: Setting  # a third party that passes the masked gradients on; empty: none
    result: Setting  # = model; the name of the table with the weights, in your current schema
    log: Setting  # = training_log; the name of the table with what each step did


class LrJointKeyHost(Options, total=False):
    """Of lr_joint_key/host."""

    peer: Required[Setting]  # the guest's name
    table: Required[Table]  # your table or view, one row for each record
    label: Required[Setting]  # its column with the label, 0 or 1
    id: Setting  # an id column that both tables share; empty: the alignment of private matching
    key: Setting  # with the alignment: your column of the ids; empty: the one that holds them all
    alignment: Setting  # = alignment; with the alignment: the name of the table that private matching left
    columns: Setting  # your feature columns, with commas between; empty: all numeric ones but id and label
    iterations: Setting  # = 20; how many steps, the same at both parties, as are the following
    batch: Setting  # = 10000; how many rows at most in a step
    learning_rate: Setting  # = 0.15; the length of a step
    l2: Setting  # = 0; how strongly weights are drawn to 0
    stop: Setting  # = 0; stop when the norm of neither party's gradient is above this; 0: never
    loss_every: Setting  # = 5; compute the loss in every so many steps, and in the last one; 0: never
    start: Setting  # = random; our first weights: random, small ones that hide our rows in the first step, or zero
    noise: Setting  # = 0.5; deviation of the noise on each residual, so that gradients tell less of single rows
    accept_disclosure: Setting  # = no; yes: train although the gradients may tell the parties each other's rows
    modulus: Setting  # = rsa-2048; modulus of the joint key: rsa-2048, or assistant for one that the assistant makes
    assistant: Setting  # a third party that passes the masked gradients on; empty: none
    result: Setting  # = model; the name of the table with the weights, in your current schema
    log: Setting  # = training_log; the name of the table with what each step did


class LrJointKeyPredict(Options, total=False):
    """Of lr_joint_key/predict."""

    peer: Required[Setting]  # the other party of the training
    table: Required[Table]  # your table or view with the rows to score
    id: Setting  # an id column that both tables share; empty: the alignment of private matching
    key: Setting  # with the alignment: your column of the ids; empty: the one that holds them all
    alignment: Setting  # = alignment; with the alignment: the name of the table that private matching left
    model: Setting  # = model; the name of the table with the weights, as the training left it
    result: Setting  # = predictions; the name of the table with the scores, in your current schema
    modulus: Setting  # = rsa-2048; modulus of the joint key: rsa-2048, or the name of one that you imported, as the peer


class LrJointKeyPredictPeer(Options, total=False):
    """Of lr_joint_key/predict_peer."""

    peer: Required[Setting]  # the party that asks
    table: Required[Table]  # your table or view with your features of the rows
    id: Setting  # an id column that both tables share; empty: the alignment of private matching
    key: Setting  # with the alignment: your column of the ids; empty: the one that holds them all
    alignment: Setting  # = alignment; with the alignment: the name of the table that private matching left
    model: Setting  # = model; the name of the table with the weights, as the training left it
    unmatched: Setting  # = refuse; rows asked for that we have no record of: refuse, or mean to answer with our mean, by which the peer can tell them
    modulus: Setting  # = rsa-2048; modulus of the joint key: rsa-2048, or the name of one that you imported, as the peer


class MatmulLeft(Options, total=False):
    """Of matmul/left."""

    peer: Required[Setting]  # the party with W
    table: Required[Table]  # your table or view, one row for each row of X
    id: Required[Setting]  # its id column; the rows are taken in its order
    columns: Setting  # the columns of X, with commas between; empty: all but the id
    list: Setting  # instead of columns: the name of one DOUBLE[] column
    scale: Setting  # = 20; fractional bits of every number at most, the same at both parties
    bound: Setting  # = 33; every |number * 2^scale| is below 2^bound, the same at both parties
    sigma: Setting  # = 64; a share is wrong with probability 2^-sigma, 40 at least, the same
    reveal: Setting  # = none; who sees the product: none, left, right or both; the same at both parties
    share_ids: Setting  # = no; yes: the peer gets the ids, no: row numbers only; the same at both parties
    bits: Setting  # = 3072; size of the Paillier key, if this party encrypts
    result: Setting  # = product; the name of the table with the product; our share goes into one of that name and _share


class MatmulRight(Options, total=False):
    """Of matmul/right."""

    peer: Required[Setting]  # the party with X
    table: Required[Table]  # your table or view, one row for each row of W, that is, column of X
    id: Required[Setting]  # its id column; the rows are taken in its order, to meet X's columns
    columns: Setting  # the columns of W, with commas between; empty: all but the id
    list: Setting  # instead of columns: the name of one DOUBLE[] column
    scale: Setting  # = 20; fractional bits of every number at most, the same at both parties
    bound: Setting  # = 33; every |number * 2^scale| is below 2^bound, the same at both parties
    sigma: Setting  # = 64; a share is wrong with probability 2^-sigma, 40 at least, the same
    reveal: Setting  # = none; who sees the product: none, left, right or both; the same at both parties
    share_ids: Setting  # = no; yes: this party gets X's ids, no: row numbers only; the same at both
    bits: Setting  # = 3072; size of the Paillier key, if this party encrypts
    result: Setting  # = product; the name of the table with the product; our share goes into one of that name and _share


class MomentsCorrelationGuest(Options, total=False):
    """Of moments/correlation_guest."""

    peer: Required[Setting]  # the host's name
    moments: Setting  # = moments; the name of the moments, as moments/host and moments/guest had it as result
    reveal: Setting  # = both; who sees the matrix: host, guest, or both; the same at both, as are the following
    names: Setting  # = no; yes: both tell each other the names of their columns
    accept_disclosure: Setting  # = no; yes: compute them although they may tell the parties each other's rows
    bits: Setting  # = 3072; size of our Paillier key
    result: Setting  # = correlation; the name of the table with the correlations, in your current schema


class MomentsCorrelationHost(Options, total=False):
    """Of moments/correlation_host."""

    peer: Required[Setting]  # the guest's name
    moments: Setting  # = moments; the name of the moments, as moments/host and moments/guest had it as result
    reveal: Setting  # = both; who sees the matrix: host, guest, or both; the same at both, as are the following
    names: Setting  # = no; yes: both tell each other the names of their columns
    accept_disclosure: Setting  # = no; yes: compute them although they may tell the parties each other's rows
    result: Setting  # = correlation; the name of the table with the correlations, in your current schema


class MomentsGuest(Options, total=False):
    """Of moments/guest."""

    peer: Required[Setting]  # the host's name
    table: Required[Table]  # your table or view, one row for each record
    id: Setting  # an id column that both tables share; empty: the alignment of private matching
    key: Setting  # with the alignment: your column of the ids; empty: the one that holds them all
    alignment: Setting  # = alignment; with the alignment: the name of the table that private matching left
    columns: Setting  # your columns, with commas between; empty: all numeric ones but the id
    sigma: Setting  # = 64; a share is wrong with probability 2^-sigma, 40 at least, the same at both
    bits: Setting  # = 3072; size of our Paillier key
    result: Setting  # = moments; your shares go into the table of this name and _share, the columns into _columns


class MomentsHost(Options, total=False):
    """Of moments/host."""

    peer: Required[Setting]  # the guest's name
    table: Required[Table]  # your table or view, one row for each record
    label: Setting  # its column with the label, if there is one: what a regression is to explain
    id: Setting  # an id column that both tables share; empty: the alignment of private matching
    key: Setting  # with the alignment: your column of the ids; empty: the one that holds them all
    alignment: Setting  # = alignment; with the alignment: the name of the table that private matching left
    columns: Setting  # your columns, with commas between; empty: all numeric ones but id and label
    sigma: Setting  # = 64; a share is wrong with probability 2^-sigma, 40 at least, the same at both
    bits: Setting  # = 3072; size of our Paillier key, which we make where both parties lack rows
    result: Setting  # = moments; your shares go into the table of this name and _share, the columns into _columns


class MomentsPredict(Options, total=False):
    """Of moments/predict."""

    peer: Required[Setting]  # the other party of the training
    table: Required[Table]  # your table or view with the rows to score
    id: Setting  # an id column that both tables share; empty: the alignment of private matching
    key: Setting  # with the alignment: your column of the ids; empty: the one that holds them all
    alignment: Setting  # = alignment; with the alignment: the name of the table that private matching left
    model: Setting  # = model; the name of the model, as the training left it
    result: Setting  # = predictions; the name of the table with the scores, in your current schema
    bits: Setting  # = 3072; size of the Paillier keys, the same at both
    sigma: Setting  # = 64; a share is wrong with probability 2^-sigma, 40 at least, the same at both


class MomentsPredictPeer(Options, total=False):
    """Of moments/predict_peer."""

    peer: Required[Setting]  # the party that asks
    table: Required[Table]  # your table or view with your columns of the rows
    id: Setting  # an id column that both tables share; empty: the alignment of private matching
    key: Setting  # with the alignment: your column of the ids; empty: the one that holds them all
    alignment: Setting  # = alignment; with the alignment: the name of the table that private matching left
    model: Setting  # = model; the name of the model, as the training left it
    unmatched: Setting  # = refuse; rows asked for that we have no record of: refuse, or mean to answer with our mean, by which the peer can tell them
    bits: Setting  # = 3072; size of the Paillier keys, the same at both
    sigma: Setting  # = 64; a share is wrong with probability 2^-sigma, 40 at least, the same at both


class MomentsRegressionGuest(Options, total=False):
    """Of moments/regression_guest."""

    peer: Required[Setting]  # the host's name
    moments: Setting  # = moments; the name of the moments, as moments/host and moments/guest had it as result
    kind: Setting  # linear or logistic; empty: logistic for a label of 0 and 1, else linear
    l2: Setting  # = 0; how strongly weights are drawn to 0, the same at both, as are the following
    reveal: Setting  # = own; who sees the weights: own (each party those of its columns), host, guest, both, or none
    steps: Setting  # how often the matrix is squared; empty: 25, or fewer as l2 allows
    accept_disclosure: Setting  # = no; yes: train although the weights may tell the parties each other's rows
    bits: Setting  # = 3072; size of our Paillier key
    result: Setting  # = model; the name of the table with the weights, in your current schema
    log: Setting  # = training_log; the name of the table with what each step did


class MomentsRegressionHost(Options, total=False):
    """Of moments/regression_host."""

    peer: Required[Setting]  # the guest's name
    moments: Setting  # = moments; the name of the moments, as moments/host and moments/guest had it as result
    kind: Setting  # linear or logistic; empty: logistic for a label of 0 and 1, else linear
    l2: Setting  # = 0; how strongly weights are drawn to 0, the same at both, as are the following
    reveal: Setting  # = own; who sees the weights: own (each party those of its columns), host, guest, both, or none
    steps: Setting  # how often the matrix is squared; empty: 25, or fewer as l2 allows
    accept_disclosure: Setting  # = no; yes: train although the weights may tell the parties each other's rows
    result: Setting  # = model; the name of the table with the weights, in your current schema
    log: Setting  # = training_log; the name of the table with what each step did


class PrivateIdGuest(Options, total=False):
    """Of private_id/guest."""

    peer: Required[Setting]  # the host's name
    table: Required[Table]  # your table or view
    id: Required[Setting]  # its id column, or several with commas between
    kind: Setting  # = raw; how ids are normalised: raw, trimmed, lower, email or phone (one a column)
    most_ids: Setting  # = 0; refuse a host with more distinct ids than this; 0: any number
    result: Setting  # = alignment; the name of the table that it makes, in your current schema; the random ids of what only the host has go into one of that name and _unmatched, and how many there are into one with _sizes


class PrivateIdHost(Options, total=False):
    """Of private_id/host."""

    peer: Required[Setting]  # the guest's name
    table: Required[Table]  # your table or view
    id: Required[Setting]  # its id column, or several with commas between
    kind: Setting  # = raw; how ids are normalised: raw, trimmed, lower, email or phone (one a column)
    most_ids: Setting  # = 0; refuse a guest with more distinct ids than this; 0: any number
    result: Setting  # = alignment; the name of the table that it makes, in your current schema; the random ids of what only the guest has go into one of that name and _unmatched, and how many there are into one with _sizes


class PsiGuest(Options, total=False):
    """Of psi/guest."""

    peer: Required[Setting]  # the host's name
    table: Required[Table]  # your table or view
    id: Required[Setting]  # its id column, or several with commas between; several keys, the first of which that matches counts, with semicolons between: email; phone
    scheme: Setting  # = oprf; how ids are hidden: oprf (an elliptic curve) or rsa (blind signatures), the same at both
    kind: Setting  # = raw; how ids are normalised: raw, trimmed, lower, email or phone (one a column; keys as in id)
    duplicates: Setting  # where an id is in several rows: refuse; first: it belongs to the first of them; or all. Empty: all, but with several keys refuse
    result: Setting  # = alignment; the name of the table that it makes, in your current schema; the host's unmatched random ids go into one of that name and _unmatched


class PsiHost(Options, total=False):
    """Of psi/host."""

    peer: Required[Setting]  # the guest's name
    table: Required[Table]  # your table or view
    id: Required[Setting]  # its id column, or several with commas between; several keys, the first of which that matches counts, with semicolons between: email; phone
    scheme: Setting  # = oprf; how ids are hidden: oprf (an elliptic curve) or rsa (blind signatures), the same at both
    kind: Setting  # = raw; how ids are normalised: raw, trimmed, lower, email or phone (one a column; keys as in id)
    duplicates: Setting  # where an id is in several rows: refuse; first: it belongs to the first of them; or all. Empty: all, but with several keys refuse
    bits: Setting  # = 3072; with rsa: size of the key, fresh in each session: 2048 at least
    most_ids: Setting  # = 0; refuse a guest with more distinct ids than this, of all keys; 0: any number
    result: Setting  # = alignment; the name of the table that it makes, in your current schema; one of that name and _unmatched is empty: the guest has none that you lack


class PsiSizeGuest(Options, total=False):
    """Of psi_size/guest."""

    peer: Required[Setting]  # the host's name
    table: Required[Table]  # your table or view
    id: Required[Setting]  # its id column, or several with commas between
    kind: Setting  # = raw; how ids are normalised: raw, trimmed, lower, email or phone (one a column)
    list: Setting  # your column that says which list a row belongs to; empty: all are one
    to: Setting  # = both; who gets the result: host, guest, or both; the same at both, as is the next one
    minimum: Setting  # = 0; a number below this is not told
    most_ids: Setting  # = 0; refuse a host with more ids than this, of all its lists; 0: any number
    max_lists: Setting  # = 20; refuse more lists than this, of either party
    result: Setting  # = psi_size; the name of the table with the result, in your current schema


class PsiSizeHost(Options, total=False):
    """Of psi_size/host."""

    peer: Required[Setting]  # the guest's name
    table: Required[Table]  # your table or view
    id: Required[Setting]  # its id column, or several with commas between
    kind: Setting  # = raw; how ids are normalised: raw, trimmed, lower, email or phone (one a column)
    list: Setting  # your column that says which list a row belongs to; empty: all are one
    to: Setting  # = both; who gets the result: host, guest, or both; the same at both, as is the next one
    minimum: Setting  # = 0; a number below this is not told
    most_ids: Setting  # = 0; refuse a guest with more ids than this, of all its lists; 0: any number
    max_lists: Setting  # = 20; refuse more lists than this, of either party
    result: Setting  # = psi_size; the name of the table with the result, in your current schema


class ScorecardGuest(Options, total=False):
    """Of scorecard/guest."""

    peer: Required[Setting]  # the host's name
    table: Required[Table]  # your table or view, one row for each record
    id: Setting  # an id column that both tables share; empty: the alignment of private matching
    key: Setting  # with the alignment: your column of the ids; empty: the one that holds them all
    alignment: Setting  # = alignment; with the alignment: the name of the table that private matching left
    columns: Setting  # your columns, with commas between; empty: all of numbers, texts and true and false but the id
    categories: Setting  # columns whose numbers are categories, with commas between
    edges: Table  # a table (feature, edge) with edges of bins for some columns; empty: quantiles for all
    bins: Setting  # = 10; quantiles of a column of numbers; most frequent values of another one
    max_bins: Setting  # = 12; bins of a column at most, the same at both
    minimum: Setting  # = 20; bins with fewer rows are put together, the same at both
    epsilon: Setting  # = 0; noise on each count: what all of them tell of a label is epsilon-differentially private; 0: no noise; the same at both
    sigma: Setting  # = 64; a count is wrong with probability 2^-sigma, 40 at least, the same at both
    result: Setting  # = scorecard; results go into tables of this name and _bins, _woe and _information_value


class ScorecardHost(Options, total=False):
    """Of scorecard/host."""

    peer: Required[Setting]  # the guest's name
    table: Required[Table]  # your table or view, one row for each record
    label: Required[Setting]  # its column with the label: 0 or 1, true or false
    id: Setting  # an id column that both tables share; empty: the alignment of private matching
    key: Setting  # with the alignment: your column of the ids; empty: the one that holds them all
    alignment: Setting  # = alignment; with the alignment: the name of the table that private matching left
    max_bins: Setting  # = 12; bins of a column at most, the same at both
    minimum: Setting  # = 20; the guest puts bins with fewer rows together, the same at both
    epsilon: Setting  # = 0; noise on each count: what all of them tell of a label is epsilon-differentially private; 0: no noise; the same at both
    accept_disclosure: Setting  # = no; yes: answer for more bins than an eighth of a bit a row allows
    sigma: Setting  # = 64; a count is wrong with probability 2^-sigma, 40 at least, the same at both
    bits: Setting  # = 2048; size of our Paillier key


class Run(Protocol[_Given_co]):
    """`Party.run` and `Party.arun`. A file of your own is a Path here, or what `scripts.load` made
    of one, so that a setting of a bundled script is not taken for one of a file."""
    @overload
    def __call__(self, script: Literal["aggregate/guest"], **settings: Unpack[AggregateGuest]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["aggregate/host"], **settings: Unpack[AggregateHost]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["lift/guest"], **settings: Unpack[LiftGuest]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["lift/host"], **settings: Unpack[LiftHost]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["lr_helper/guest"], **settings: Unpack[LrHelperGuest]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["lr_helper/helper"], **settings: Unpack[LrHelperHelper]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["lr_helper/host"], **settings: Unpack[LrHelperHost]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["lr_helper/predict_guest"], **settings: Unpack[LrHelperPredictGuest]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["lr_helper/predict_helper"], **settings: Unpack[LrHelperPredictHelper]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["lr_helper/predict_host"], **settings: Unpack[LrHelperPredictHost]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["lr_joint_key/assistant"], **settings: Unpack[LrJointKeyAssistant]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["lr_joint_key/guest"], **settings: Unpack[LrJointKeyGuest]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["lr_joint_key/host"], **settings: Unpack[LrJointKeyHost]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["lr_joint_key/predict"], **settings: Unpack[LrJointKeyPredict]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["lr_joint_key/predict_peer"], **settings: Unpack[LrJointKeyPredictPeer]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["matmul/left"], **settings: Unpack[MatmulLeft]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["matmul/right"], **settings: Unpack[MatmulRight]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["moments/correlation_guest"], **settings: Unpack[MomentsCorrelationGuest]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["moments/correlation_host"], **settings: Unpack[MomentsCorrelationHost]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["moments/guest"], **settings: Unpack[MomentsGuest]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["moments/host"], **settings: Unpack[MomentsHost]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["moments/predict"], **settings: Unpack[MomentsPredict]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["moments/predict_peer"], **settings: Unpack[MomentsPredictPeer]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["moments/regression_guest"], **settings: Unpack[MomentsRegressionGuest]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["moments/regression_host"], **settings: Unpack[MomentsRegressionHost]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["private_id/guest"], **settings: Unpack[PrivateIdGuest]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["private_id/host"], **settings: Unpack[PrivateIdHost]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["psi/guest"], **settings: Unpack[PsiGuest]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["psi/host"], **settings: Unpack[PsiHost]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["psi_size/guest"], **settings: Unpack[PsiSizeGuest]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["psi_size/host"], **settings: Unpack[PsiSizeHost]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["scorecard/guest"], **settings: Unpack[ScorecardGuest]) -> _Given_co: ...
    @overload
    def __call__(self, script: Literal["scorecard/host"], **settings: Unpack[ScorecardHost]) -> _Given_co: ...
    @overload
    def __call__(self, script: PathLike[str] | Script, **settings: Any) -> _Given_co: ...


class _Method(Protocol[_Given_co]):
    def __get__(self, party: object, kind: type | None = None) -> Run[_Given_co]: ...


def typed(method: Callable[..., _Given_co]) -> _Method[_Given_co]:
    """Return a method that runs scripts as it is; to editors it has their settings."""
    return cast(_Method[_Given_co], method)
