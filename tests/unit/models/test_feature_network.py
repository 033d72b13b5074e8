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
    of_member = network.FC3.bias
    for member in range(N_MEMBERS):
        mine, others = (
            outputs[which, member].sum() for which in (left_out == member, left_out != member)
        )
        gradients = torch.autograd.grad(mine, of_member, retain_graph=True)[0]
        assert not gradients.any()
        gradients = torch.autograd.grad(others, of_member, retain_graph=True)[0]
        assert gradients[member].any()


def test_members_are_corrected_in_evaluation_only() -> None:
    torch.manual_seed(3)
    network = Several(7)
    network.FC3.weight.data.normal_(0, 0.3)
    network.correct.FC2.bias.data.fill_(0.1)
    x = torch.randn(6, 7)
    network.standardize(x)
    network.standardize.eval()
    members = network.members(x)
    torch.testing.assert_close(split_members(network.head, network.infer(x)), members)
    found = split_members(network.head, network.eval().infer(x))
    torch.testing.assert_close(found, network.correct(members.flatten(0, 1)).view(members.shape))
    assert not torch.allclose(found, members)
