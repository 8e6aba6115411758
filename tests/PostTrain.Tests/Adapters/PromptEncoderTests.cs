using PostTrain.Adapters.Prompts;
using PostTrain.Tests.Models;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Adapters;

public sealed class PromptEncoderTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Lstm_IsTheRecurrence(int layers)
    {
        using var scope = NewDisposeScope();
        using var encoder = new LstmPromptEncoder(5, 6, 4, layers, 0, 11, ScalarType.Float64);
        var weights = encoder.named_parameters().ToDictionary(item => item.name, item => Numbers.Values(item.parameter));
        var inputs = weights["embedding.weight"].Chunk(6).ToArray();
        for (var layer = 0; layer < layers; layer++)
        {
            var forward = Direct(inputs, weights, $"l{layer}");
            // The other direction is the same recurrence over the reversed sequence.
            var backward = Direct([.. inputs.Reverse()], weights, $"l{layer}_reverse").Reverse();
            inputs = [.. forward.Zip(backward, (a, b) => a.Concat(b).ToArray())];
        }

        var rows = inputs
            .Select(state => Linear(weights, "mlp_head.2", [.. Linear(weights, "mlp_head.0", state).Select(value => Math.Max(0, value))]))
            .ToArray();
        TensorAssert.Close([.. rows.SelectMany(row => row)], encoder.Rows(), 1e-13);
    }

    [Fact]
    public void Mlp_IsTheFormula()
    {
        using var scope = NewDisposeScope();
        using var encoder = new MlpPromptEncoder(3, 6, 4, 11, ScalarType.Float64);
        var weights = encoder.named_parameters().ToDictionary(item => item.name, item => Numbers.Values(item.parameter));
        var rows = weights["embedding.weight"]
            .Chunk(6)
            .Select(row =>
                Linear(
                    weights,
                    "mlp_head.4",
                    [.. Linear(weights, "mlp_head.2", [.. Linear(weights, "mlp_head.0", row).Select(Relu)]).Select(Relu)]
                )
            );
        TensorAssert.Close([.. rows.SelectMany(row => row)], encoder.Rows(), 1e-13);

        static double Relu(double value) => Math.Max(0, value);
    }

    [Theory]
    [InlineData("mlp")]
    [InlineData("lstm")]
    public void Fold_GivesTheSameBits_AndDropsTheNetwork(string kind)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama", ScalarType.Float32);
        PromptEncoder encoder = kind == "mlp" ? new MlpPromptEncoder(3, 16, 5, 7) : new LstmPromptEncoder(3, 16, 5, 2, 0.5, 7);
        using var prompted = new SoftPromptLm(model, encoder);
        encoder.train();
        using var folded = new SoftPromptLm(model, encoder.Fold());
        Assert.True(encoder.training);
        prompted.eval();
        var ids = tensor(new long[] { 3, 1, 4 }, [1, 3]);
        TensorAssert.Same(prompted.call(ids), folded.call(ids));
        Assert.Equal([48L], folded.Encoder.parameters().Select(parameter => parameter.numel()));
    }

    // The start is the text's, bit for bit; from there on the rows move as the network's do, by the network's own gradients.
    [Theory]
    [InlineData("mlp", 0)]
    [InlineData("lstm", 0)]
    [InlineData("lstm", 0.5)]
    public void StartingAt_BeginsWithTheText_AndMovesAsTheNetwork(string kind, double dropout)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama", ScalarType.Float32);
        PromptEncoder Network() => kind == "mlp" ? new MlpPromptEncoder(3, 16, 5, 7) : new LstmPromptEncoder(3, 16, 5, 2, dropout, 7);
        using var text = PromptTable.FromTokens(model, [5, 9, 2]);
        using var plain = Network();
        using var started = Network().StartingAt(text);
        plain.eval();
        using var prompted = new SoftPromptLm(model, started);
        using var table = new SoftPromptLm(model, text);
        prompted.eval();
        table.eval();
        var ids = tensor(new long[] { 3, 1, 4 }, [1, 3]);
        TensorAssert.Same(table.call(ids), prompted.call(ids));
        Assert.NotEqual(Numbers.Values(plain.Rows()), Numbers.Values(started.Rows()));

        var first = plain.Rows().detach();
        var weights = Numbers.Uniform(2, 1, 3, 16).to(ScalarType.Float32);
        foreach (var encoder in (PromptEncoder[])[plain, started])
        {
            (encoder.Rows() * weights).sum().backward();
            using var mode = no_grad();
            foreach (var parameter in encoder.parameters())
                parameter.sub_(parameter.grad! * 0.05);
        }
        Assert.Equal(plain.parameters().Select(Numbers.Values), started.parameters().Select(Numbers.Values));
        var moved = (plain.Rows() - first).detach();
        Assert.True(moved.abs().max().ToDouble() > 1e-3);
        TensorAssert.Close(Numbers.Values(text.Weight + moved), started.Rows().detach(), 1e-6);
        using var folded = new SoftPromptLm(model, started.Fold());
        TensorAssert.Same(prompted.call(ids), folded.call(ids));
    }

    // A resumed run makes the encoder anew: the constants come from the checkpoint.
    [Fact]
    public void StartingAt_KeepsItsConstantsInTheState()
    {
        using var scope = NewDisposeScope();
        using var start = PromptTable.Random(3, 6, 4);
        using var other = PromptTable.Random(3, 6, 5);
        using var encoder = new MlpPromptEncoder(3, 6, 4, 11).StartingAt(start);
        using (no_grad())
            encoder.parameters().First().add_(1);
        using var again = new MlpPromptEncoder(3, 6, 4, 12).StartingAt(other);
        again.load_state_dict(encoder.state_dict());
        TensorAssert.Same(encoder.Rows(), again.Rows());
        Assert.Equal(2, encoder.named_buffers().Count());
        Ownership.Check(() => [encoder.Rows()]);
    }

    [Theory]
    [InlineData(2, 6)]
    [InlineData(3, 5)]
    public void StartingAt_RowsOfAnotherShape_AreRefused(int length, int width)
    {
        using var start = PromptTable.Random(length, width, 4);
        using var encoder = new MlpPromptEncoder(3, 6, 4, 11);
        var error = Assert.Throws<ArgumentException>(() => encoder.StartingAt(start));
        Assert.Contains($"{length} rows of width {width}, expected 3 of width 6", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Lstm_Rows_AreTheSameBitsWithAndWithoutGradients()
    {
        using var scope = NewDisposeScope();
        using var encoder = new LstmPromptEncoder(20, 64, 32, 2, 0, 7);
        var rows = encoder.Rows();
        Assert.True(rows.requires_grad);
        using var mode = no_grad();
        var plain = encoder.Rows();
        Assert.False(plain.requires_grad);
        TensorAssert.Same(rows, plain);
    }

    [Fact]
    public void Lstm_Dropout_ActsInTrainingOnly()
    {
        using var scope = NewDisposeScope();
        using var encoder = new LstmPromptEncoder(4, 16, 8, 2, 0.5, 7);
        manual_seed(1);
        encoder.eval();
        var calm = encoder.Rows();
        TensorAssert.Same(calm, encoder.Rows());
        encoder.train();
        Assert.NotEqual(Numbers.Values(calm), Numbers.Values(encoder.Rows()));
    }

    [Fact]
    public void Encoders_ReachEveryParameter_AndStartBySeed()
    {
        using var scope = NewDisposeScope();
        Func<ulong, PromptEncoder>[] makers =
        [
            seed => new MlpPromptEncoder(3, 6, 4, seed, ScalarType.Float64),
            seed => new LstmPromptEncoder(3, 6, 4, 2, 0, seed, ScalarType.Float64),
            seed => new PrefixProjection(3, 24, 6, 4, seed, ScalarType.Float64),
        ];
        foreach (var make in makers)
        {
            using var encoder = make(1);
            using var again = make(1);
            using var other = make(2);
            (encoder.Rows() * Numbers.Uniform(2, 1, 3, encoder.Width)).sum().backward();
            Assert.All(
                encoder.named_parameters(),
                item => Assert.True(item.parameter.grad is { } grad && grad.abs().sum().ToDouble() > 0, item.name)
            );
            Assert.Equal(Toy.Bytes(encoder), Toy.Bytes(again));
            Assert.NotEqual(Toy.Bytes(encoder), Toy.Bytes(other));
            Ownership.Check(() => [encoder.Rows()]);
        }
    }

    [Fact]
    public void Constructors_ImpossibleSizes_AreRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new MlpPromptEncoder(0, 6, 4, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new MlpPromptEncoder(2, 6, 0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new LstmPromptEncoder(2, 6, 4, 0, 0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new LstmPromptEncoder(2, 6, 4, 1, 1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new LstmPromptEncoder(2, 6, 4, 1, double.NaN, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new PrefixProjection(2, 0, 6, 4, 1));
    }

    // i, f, g, o rows of W x + b + U h + b'; c = σ(f) c + σ(i) tanh(g); h = σ(o) tanh(c).
    private static double[][] Direct(double[][] inputs, Dictionary<string, double[]> weights, string suffix)
    {
        var (input, state) = (weights[$"lstm_head.weight_ih_{suffix}"], weights[$"lstm_head.weight_hh_{suffix}"]);
        var (inputBias, stateBias) = (weights[$"lstm_head.bias_ih_{suffix}"], weights[$"lstm_head.bias_hh_{suffix}"]);
        var size = stateBias.Length / 4;
        var (hidden, cell) = (new double[size], new double[size]);
        var outputs = new List<double[]>();
        foreach (var x in inputs)
        {
            var gates = Enumerable
                .Range(0, 4 * size)
                .Select(row =>
                    inputBias[row]
                    + stateBias[row]
                    + x.Select((value, i) => value * input[row * x.Length + i]).Sum()
                    + hidden.Select((value, i) => value * state[row * size + i]).Sum()
                )
                .ToArray();
            cell = [.. cell.Select((c, i) => Sigmoid(gates[size + i]) * c + Sigmoid(gates[i]) * Math.Tanh(gates[2 * size + i]))];
            hidden = [.. cell.Select((c, i) => Sigmoid(gates[3 * size + i]) * Math.Tanh(c))];
            outputs.Add(hidden);
        }

        return [.. outputs];
    }

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    private static double[] Linear(Dictionary<string, double[]> weights, string name, double[] input)
    {
        var (matrix, bias) = (weights[name + ".weight"], weights[name + ".bias"]);
        return [.. bias.Select((b, row) => b + input.Select((value, i) => value * matrix[row * input.Length + i]).Sum())];
    }
}
