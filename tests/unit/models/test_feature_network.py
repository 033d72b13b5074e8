import pytest
import torch
from torch import Tensor

from multifield.models.feature_network import FeatureNetwork
from multifield.models.heads import split_members
from tests.helpers.torch_threads import one_thread as one_thread

N_FEATURES = 5  # of a field
N_COPIES = 4
# Of what five steps change: Adam's epsilon beside smaller gradients, and sums of float32 in another order
ADAM_ATOL = 1e-5


class Repeated(FeatureNetwork):
    """Network that infers from the features of a field and of copies of it."""

    def __init__(self, channels: int, scale: float = 1.0) -> None:
        super().__init__(1, 0.0, channels, 16)
        self.add_head(N_FEATURES * channels, 8, scale=scale)


def make_network() -> Repeated:
    torch.manual_seed(1)
    network = Repeated(1)
    for name in ("FC3.weight", "direct.weight"):
        network.get_parameter(name).data.normal_(0, 0.3)
    return network


def with_copies(one: Repeated, scale: float) -> Repeated:
    """Return the network of one field, with its weights shared among copies."""
    network = Repeated(N_COPIES, scale)
    for name, tensor in network.named_parameters():
        own = one.get_parameter(name).detach()
        of_features = own.ndim == 2 and own.shape[1] == N_FEATURES
        tensor.data = own.tile(1, N_COPIES) / (N_COPIES * scale) if of_features else own.clone()
    return network


def train(network: Repeated) -> tuple[Tensor, Tensor]:
    """Return the output, and its change after five steps."""
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(64, N_FEATURES, generator=generator).tile(1, network.channels)
    truth = torch.rand(64, 6, generator=generator)
    network.standardize(x)
    network.standardize.eval()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.5)
    first = network.infer(x).detach()
    for _ in range(5):
        optimizer.zero_grad()
        (network.infer(x)[:, :6] - truth).square().mean().backward()
        optimizer.step()
    return first, network.infer(x).detach() - first


def test_a_step_goes_as_far_with_many_features_as_with_few() -> None:
    """Features are divided by the number of fields; otherwise more fields take larger steps."""
    one = make_network()
    answers, change = train(make_network())
    for scale in (1 / N_COPIES, 1.0):
        same_answers, other_change = train(with_copies(one, scale))
        torch.testing.assert_close(same_answers, answers, rtol=0, atol=ADAM_ATOL)
        if scale == 1:
            assert other_change.norm() > 1.5 * change.norm()
        else:
            torch.testing.assert_close(other_change, change, rtol=0, atol=ADAM_ATOL)


N_MEMBERS = 5


class Several(FeatureNetwork):
    """Network of several members that read features."""

    def __init__(self, n_features: int, dropout: float = 0.0) -> None:
        super().__init__(1, dropout, 1, 16, 2)
        self.add_head(n_features, 16, n_members=N_MEMBERS)


def test_a_member_does_not_learn_from_what_it_leaves_out() -> None:
    torch.manual_seed(3)
    network = Several(7, dropout=0.5)
    network.FC3.weight.data.normal_(0, 0.3)
    left_out = torch.tensor([0, 1, 2, 3, 4, 0])
    outputs = split_members(network.head, network.infer(torch.randn(6, 7), left_out))
    of_member, of_correction = network.FC3.bias, network.correct.FC2.bias
    for member in range(N_MEMBERS):
        mine = outputs[left_out == member, member].sum()
        gradients = torch.autograd.grad(mine, [of_correction, of_member], retain_graph=True)
        assert gradients[0].any()
        assert not gradients[1].any()
        others = outputs[left_out != member, member].sum()
        gradients = torch.autograd.grad(
            others, [of_member, of_correction], retain_graph=True, allow_unused=True
        )
        assert gradients[0][member].any()
        assert not gradients[1].any()


def test_the_correction_learns_from_members_without_dropout() -> None:
    """It is the posterior that it corrects in evaluation."""
    torch.manual_seed(3)
    network = Several(7, dropout=0.5)
    network.FC3.weight.data.normal_(0, 0.3)
    x = torch.randn(6, 7)
    network.standardize(x)
    network.standardize.eval()
    left_out = torch.arange(6) % N_MEMBERS
    rows = torch.arange(6)
    found = split_members(network.head, network.infer(x, left_out))[rows, left_out]
    expected = split_members(network.head, network.eval().infer(x))[rows, left_out]
    torch.testing.assert_close(found, expected)


def pulls(*, leaves_out: bool) -> float:
    """Train on few and noisy simulations; return chi2 per parameter on others."""
    torch.manual_seed(4)
    n_features, n_simulations, n_maps = 100, 60, 5
    response = torch.randn(2, n_features)

    def simulate(n: int) -> tuple[Tensor, Tensor]:
        truth = torch.rand(n, 2)
        features = truth @ response + 2 * torch.randn(n, n_features)
        both = truth, features
        return tuple(each.repeat_interleave(n_maps, dim=0) for each in both)  # type: ignore[return-value]

    truth, x = simulate(n_simulations)
    network = Several(n_features)
    left_out = torch.arange(len(x)) // n_maps % N_MEMBERS
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(300):
        y = network.infer(x, left_out if leaves_out else None)
        members = split_members(network.head, y).flatten(0, 1)
        each = truth.repeat_interleave(N_MEMBERS, dim=0)
        optimizer.zero_grad()
        (-network.head.log_prob(members, each, [0, 1]).mean()).backward()
        optimizer.step()
    truth, x = simulate(1000)
    members = split_members(network.head, network.eval().infer(x).detach())
    mean, std = members[..., :2], members[..., 2:4]
    variance = std.square().mean(dim=1) + mean.var(dim=1, correction=0)
    return float(((mean.mean(dim=1) - truth).square() / variance).mean())


def test_members_that_leave_out_simulations_are_as_certain_as_they_may_be() -> None:
    assert pulls(leaves_out=True) == pytest.approx(1, abs=0.25)
    assert pulls(leaves_out=False) > 2
