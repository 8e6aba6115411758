using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests.Nn;

[Collection("Sequential")]
public class LayerTests
{
    [Fact]
    public void Linear_OfSmallNumbers_IsTheProductPlusBias()
    {
        using var scope = NewDisposeScope();
        var linear = nn.Linear(new Parameter(Numbers.Real([1, 2, 3, 4, 5, 6], 3, 2)), new Parameter(Numbers.Real([0.5, 0, -1])));

        // Row (1, -1): 1-2+0.5, 3-4, 5-6-1; row (2, 0): 2.5, 6, 9.
        Numbers.Same([-0.5, -1, -2, 2.5, 6, 9], linear.call(Numbers.Real([1, -1, 2, 0], 2, 2)));
        Assert.Equal((2, 3), (linear.in_features, linear.out_features));
        var input = Numbers.Spread(3, 4, 2).requires_grad_();
        Numbers.GradientsMatch(() => linear.call(input).square().sum(), linear.weight, linear.bias!, input);
    }

    [Fact]
    public void Linear_AtTheStart_IsUniformWithinOneOverRootOfInputs()
    {
        manual_seed(7);
        using var linear = nn.Linear(64, 512);
        using var spread = linear.weight.std();

        // U(-1/8, 1/8): its deviation is 1/(8 √3) = 0.07217.
        Assert.InRange(Numbers.Of(linear.weight.abs().max())[0], 0.124, 0.125);
        Assert.InRange(spread.ToDouble(), 0.0717, 0.0727);
        Assert.InRange(Numbers.Of(linear.bias!.abs().max())[0], 0.12, 0.125);
        Assert.Null(nn.Linear(2, 2, hasBias: false).bias);
    }

    [Fact]
    public void Linear_WithASeed_EqualsPyTorch()
    {
        // torch.manual_seed(0); torch.nn.Linear(2, 2): the generator's first draws, weights before biases.
        manual_seed(0);
        using var first = nn.Linear(2, 2);
        manual_seed(0);
        using var draws = rand(6);

        double bound = 1 / Math.Sqrt(2);
        var expected = Numbers.Of(draws).Select(u => -bound + 2 * bound * u).ToArray();
        Numbers.Same(expected[..4], first.weight, 1e-6);
        Numbers.Same(expected[4..], first.bias!, 1e-6);
        // 0.4963, 0.7682, ... are PyTorch's first numbers with seed 0.
        Numbers.Same([-0.0053, 0.3793], [Numbers.Of(first.weight)[0], Numbers.Of(first.weight)[1]], 1e-4);
    }

    [Fact]
    public void Embedding_OfNumbers_GivesTheirRowsAndSumsTheirGradients()
    {
        using var embedding = nn.Embedding(4, 2, padding_idx: 0, dtype: float64);
        var ids = tensor(new long[] { 2, 0, 2 });

        var rows = embedding.call(ids);
        (rows * Numbers.Real([1, 2, 3, 4, 5, 6], 3, 2)).sum().backward();

        var table = Numbers.Of(embedding.weight!);
        Assert.Equal([0.0, 0.0], table[..2]);
        Numbers.Same([table[4], table[5], 0, 0, table[4], table[5]], rows);
        // Row 2 was read twice: (1,2) + (5,6). The row for padding gets none.
        Numbers.Same([0, 0, 0, 0, 6, 8, 0, 0], embedding.weight!.grad!);
        Assert.Same(embedding.weight, embedding.weight);
        Assert.Throws<ArgumentOutOfRangeException>(() => nn.Embedding(4, 2, padding_idx: 4));
    }

    [Fact]
    public void Embedding_AtTheStart_IsStandardNormal()
    {
        manual_seed(3);
        using var embedding = nn.Embedding(1000, 50);

        Assert.InRange(embedding.weight!.mean().ToDouble(), -0.02, 0.02);
        Assert.InRange(embedding.weight!.std().ToDouble(), 0.98, 1.02);
    }

    [Fact]
    public void EmbeddingFromPretrained_Frozen_IsACopyWithoutGradient()
    {
        using var table = Numbers.Spread(0, 3, 2);
        using var frozen = nn.Embedding_from_pretrained(table);
        using var free = nn.Embedding_from_pretrained(table, freeze: false);
        var before = Numbers.Of(table);
        table.zero_();

        Numbers.Same(before, frozen.weight!);
        Assert.False(frozen.weight!.requires_grad);
        Assert.True(free.weight!.requires_grad);
    }

    [Fact]
    public void LayerNorm_OfARow_HasMeanZeroAndVarianceOne()
    {
        using var scope = NewDisposeScope();
        var norm = nn.LayerNorm(4, eps: 0, dtype: float64);

        // (1,2,3,4): mean 2.5, variance 1.25.
        double[] expected = [-1.5 / Math.Sqrt(1.25), -0.5 / Math.Sqrt(1.25), 0.5 / Math.Sqrt(1.25), 1.5 / Math.Sqrt(1.25)];
        Numbers.Same(expected, norm.call(Numbers.Real([1, 2, 3, 4], 1, 4)));

        var learned = nn.LayerNorm(new long[] { 2, 2 }, dtype: float64);
        var input = Numbers.Spread(5, 3, 2, 2).requires_grad_();
        Numbers.GradientsMatch(() => (learned.call(input) * Numbers.Spread(6, 3, 2, 2)).sum(), learned.weight, learned.bias!, input);
        Assert.Equal(["weight", "bias"], learned.named_parameters().Select(entry => entry.name));
        Assert.Empty(nn.LayerNorm(2, elementwise_affine: false).parameters());
        Assert.Null(nn.LayerNorm(2, bias: false).bias);
    }

    [Theory]
    [InlineData(1, false, false)]
    [InlineData(2, true, false)]
    [InlineData(2, false, true)]
    public void Lstm_OfASequence_FollowsItsRecurrence(int layers, bool bidirectional, bool batchFirst)
    {
        using var scope = NewDisposeScope();
        manual_seed(11);
        const int hidden = 3, time = 4, batch = 2;
        var lstm = nn.LSTM(2, hidden, layers, batchFirst: batchFirst, bidirectional: bidirectional, dtype: float64);
        var input = Numbers.Spread(1, time, batch, 2);

        var (output, lastHidden, lastCell) = lstm.call(batchFirst ? input.transpose(0, 1) : input);

        var level = input;
        var hiddens = new List<Tensor>();
        var cells = new List<Tensor>();
        for (int layer = 0; layer < layers; layer++)
        {
            var directions = new List<Tensor>();
            for (int direction = 0; direction < (bidirectional ? 2 : 1); direction++)
            {
                var suffix = $"l{layer}{(direction == 1 ? "_reverse" : "")}";
                var (sequence, h, c) = Recurrence(lstm, suffix, level, reverse: direction == 1, hidden);
                directions.Add(sequence);
                hiddens.Add(h);
                cells.Add(c);
            }
            level = cat(directions, -1);
        }
        Numbers.Same(batchFirst ? level.transpose(0, 1) : level, output, 1e-12);
        Numbers.Same(stack(hiddens), lastHidden, 1e-12);
        Numbers.Same(stack(cells), lastCell, 1e-12);
    }

    [Fact]
    public void Lstm_Gradients_EqualCentralDifferences()
    {
        using var scope = NewDisposeScope();
        manual_seed(5);
        var lstm = nn.LSTM(2, 2, dtype: float64);
        var input = Numbers.Spread(2, 3, 1, 2).requires_grad_();
        var h0 = Numbers.Spread(3, 1, 1, 2).requires_grad_();
        var c0 = Numbers.Spread(4, 1, 1, 2).requires_grad_();

        Assert.Equal(["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"], lstm.named_parameters().Select(entry => entry.name));
        Numbers.GradientsMatch(() =>
        {
            var (output, _, cell) = lstm.call(input, (h0, c0));
            return output.square().sum() + cell.sum();
        }, [.. lstm.parameters(), input, h0, c0]);
    }

    [Fact]
    public void Lstm_MovedToAnotherType_StillRuns()
    {
        using var scope = NewDisposeScope();
        var lstm = nn.LSTM(2, 2).to(float64);

        Assert.Equal(float64, lstm.call(Numbers.Spread(0, 3, 1, 2)).Item1.dtype);
        Assert.Throws<ArgumentException>(() => lstm.call(Numbers.Spread(0, 3, 2)));
    }

    [Fact]
    public void Dropout_InTraining_DropsTheGivenShareAndKeepsTheMean()
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        using var dropout = nn.Dropout(0.3);
        var input = ones(200_000);

        var values = Numbers.Of(dropout.call(input));

        Assert.All(values, value => Assert.True(value == 0 || Math.Abs(value - 1 / 0.7) < 1e-6));
        // Four deviations of a share of 200,000 draws: 4 √(0.21/200000) = 0.0041.
        Assert.InRange(values.Count(value => value == 0) / 200_000.0, 0.3 - 0.0041, 0.3 + 0.0041);
        dropout.eval();
        Numbers.Same(input, dropout.call(input), 0);
        Assert.Throws<ArgumentOutOfRangeException>(() => nn.Dropout(1.5));
    }

    [Fact]
    public void Activations_AtOnePoint_EqualTheirFormulas()
    {
        using var scope = NewDisposeScope();
        var x = Numbers.Real([-0.7, 1.3]);
        double[] values = [-0.7, 1.3];
        double Sigmoid(double v) => 1 / (1 + Math.Exp(-v));

        Numbers.Same([0, 1.3], nn.ReLU().call(x));
        Numbers.Same([.. values.Select(Math.Tanh)], nn.Tanh().call(x));
        Numbers.Same([.. values.Select(Sigmoid)], nn.Sigmoid().call(x));
        Numbers.Same([.. values.Select(v => v * Sigmoid(v))], nn.SiLU().call(x));
        // Φ(-0.7) = 0.2419636522, Φ(1.3) = 0.9031995154.
        Numbers.Same([-0.7 * 0.24196365222307303, 1.3 * 0.9031995154143897], nn.GELU().call(x));
        double sum = Math.Exp(-0.7) + Math.Exp(1.3);
        Numbers.Same([Math.Exp(-0.7) / sum, Math.Exp(1.3) / sum], nn.Softmax(0).call(x));
        Numbers.Same([-0.7 - Math.Log(sum), 1.3 - Math.Log(sum)], nn.LogSoftmax(0).call(x));
        Numbers.Same([0, 1.3], nn.ReLU(inplace: true).call(x));
        Numbers.Same([0, 1.3], x);
    }

    [Fact]
    public void Sequential_OfSteps_RunsThemInOrderAndLeavesNothingBehind()
    {
        using var net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Identity(), nn.Linear(4, 1));
        using var input = ones(3, 2);
        using (net.call(input)) { }
        long before = Numbers.LiveTensors();

        using (net.call(input)) Assert.Equal(before + 1, Numbers.LiveTensors());

        Assert.Equal(before, Numbers.LiveTensors());
        Assert.Equal(["0.weight", "0.bias", "3.weight", "3.bias"], net.named_parameters().Select(entry => entry.name));
        Assert.Equal(2, net[1..3].Count);
    }

    private static (Tensor, Tensor, Tensor) Recurrence(LSTM lstm, string suffix, Tensor input, bool reverse, long hidden)
    {
        Tensor Weight(string kind) => lstm.get_parameter($"{kind}_{suffix}")!;
        var (h, c) = (zeros(input.shape[1], hidden, float64), zeros(input.shape[1], hidden, float64));
        var outputs = new Tensor[input.shape[0]];
        for (int step = 0; step < outputs.Length; step++)
        {
            int t = reverse ? outputs.Length - 1 - step : step;
            var gates = input[t].matmul(Weight("weight_ih").t()) + Weight("bias_ih") + h.matmul(Weight("weight_hh").t()) + Weight("bias_hh");
            Tensor Gate(int number) => gates.narrow(1, number * hidden, hidden);
            c = Gate(1).sigmoid() * c + Gate(0).sigmoid() * Gate(2).tanh();
            h = Gate(3).sigmoid() * c.tanh();
            outputs[t] = h;
        }
        return (stack(outputs), h, c);
    }
}
