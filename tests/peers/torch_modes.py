"""How PyTorch runs an epoch: eager; compile, its loss by torch.compile; graph, all its steps recorded in one CUDA graph.

Each mode takes the model, its optimizer, the summed loss of the images of some numbers, how many images there are, the
batch and the device. It gives a function that trains an epoch and gives the mean loss, once the device is done.
"""
import torch


class Epoch:
    """The steps of an epoch; each image's place in it is in `order`, and the loss is summed in `total`."""

    def __init__(self, model, optimizer, loss, images, batch, device):
        self.model, self.optimizer, self.loss, self.images, self.batch = model, optimizer, loss, images, batch
        self.order = torch.arange(images, device=device)
        self.total = torch.zeros((), device=device)

    def step(self, at):
        self.optimizer.zero_grad()
        loss = self.loss(at)
        (loss / len(at)).backward()
        self.optimizer.step()
        self.total += loss.detach()

    def steps(self):
        self.total.zero_()
        for at in self.order.split(self.batch):
            self.step(at)

    def rehearse(self, times):
        """Takes steps of each size that there is, and forgets them: model and optimizer are as they were."""
        kept = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        batches = self.order.split(self.batch)
        for at in [batches[0], batches[-1]] * times:
            self.step(at)
        self.model.load_state_dict(kept)
        for state in self.optimizer.state.values():
            for tensor in state.values():
                tensor.zero_()

    def train(self, steps):
        torch.randperm(self.images, out=self.order)
        steps()
        return self.total.item() / self.images  # .item() waits for the device


def eager(*given):
    epoch = Epoch(*given)
    return lambda: epoch.train(epoch.steps)


def compiled(model, optimizer, loss, *given):
    # Two sizes of batch make two programs, each of fixed sizes.
    epoch = Epoch(model, optimizer, torch.compile(loss, dynamic=False), *given)
    epoch.rehearse(3)
    return lambda: epoch.train(epoch.steps)


def graph(*given):
    epoch = Epoch(*given)
    # What a step allocates and asks of the driver at its first time must not be recorded.
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        epoch.rehearse(3)
    torch.cuda.current_stream().wait_stream(aside)
    epoch.optimizer.zero_grad()
    recorded = torch.cuda.CUDAGraph()
    with torch.cuda.graph(recorded):
        epoch.steps()
    return lambda: epoch.train(recorded.replay)


MODES = {"eager": eager, "compile": compiled, "graph": graph}
