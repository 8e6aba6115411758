using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Tests.Support;

/// <summary>A user's recurrent network: h ← (1 - z) h + z tanh(W e + U h), z = σ(W' e + U' h), the update gate of Cho et al.
/// 2014.</summary>
internal sealed class Recurrent : nn.Module<Tensor, Tensor>
{
    private readonly Embedding embedding;
    private readonly Linear input = nn.Linear(24, 64);
    private readonly Linear recurrent = nn.Linear(32, 64, hasBias: false);
    private readonly Linear output;

    /// <param name="vocabulary">Number of tokens.</param>
    /// <param name="seed">Of its weights, which lie between −0.3 and 0.3.</param>
    internal Recurrent(int vocabulary, int seed = 1)
        : base(nameof(Recurrent))
    {
        (embedding, output) = (nn.Embedding(vocabulary, 24), nn.Linear(32, vocabulary));
        RegisterComponents();
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        foreach (var parameter in parameters())
            parameter.copy_(Numbers.Uniform(seed++, 0.3, parameter.shape));
    }

    public override Tensor forward(Tensor ids)
    {
        using var scope = NewDisposeScope();
        var inputs = input.call(embedding.call(ids));
        var hidden = zeros(ids.size(0), 32);
        var states = new List<Tensor>();
        for (var t = 0; t < ids.size(1); t++)
        {
            var gates = inputs.select(1, t) + recurrent.call(hidden);
            var update = gates.narrow(1, 0, 32).sigmoid();
            hidden = (1 - update) * hidden + update * gates.narrow(1, 32, 32).tanh();
            states.Add(hidden);
        }

        return output.call(stack(states, 1)).MoveToOuterDisposeScope();
    }
}
