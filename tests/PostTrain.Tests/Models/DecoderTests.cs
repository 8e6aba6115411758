using PostTrain.Adapters;
using PostTrain.Models;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Models;

public sealed class DecoderTests
{
    public static TheoryData<string> Families => TinyModels.Names;

    private static Tensor Mask(params string[] rows) =>
        tensor(rows.SelectMany(row => row.Select(c => (long)(c - '0'))).ToArray(), [rows.Length, rows[0].Length]);

    [Theory]
    [MemberData(nameof(Families))]
    public void Hidden_WithCache_EqualsWithout(string name)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create(name);
        var ids = Numbers.Ids(1, 23, 3, 9);
        var mask = Mask("000011111", "111111111", "011111111");
        var whole = model.Hidden(ids, mask);

        using var cache = model.NewCache(3, 12);
        var parts = new List<Tensor>();
        foreach (var (start, count) in new[] { (0, 5), (5, 1), (6, 1), (7, 2) })
            parts.Add(model.Hidden(ids.narrow(1, start, count), mask.narrow(1, 0, start + count), cache));
        Assert.Equal(9, cache.Length);
        var real = mask.unsqueeze(-1);
        TensorAssert.Close(whole * real, cat(parts, 1) * real, 1e-12);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Hidden_CachedFloat32_AgreesToRounding(string name)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create(name, ScalarType.Float32);
        // Beyond its original length, dynamic scaling turns by other angles the longer the text; cached keys keep theirs.
        var length = name == "llama-dynamic" ? 12 : 20;
        var ids = Numbers.Ids(2, 23, 2, length);
        using var cache = model.NewCache(2, length);
        var steps = Enumerable.Range(0, length).Select(t => model.Hidden(ids.narrow(1, t, 1), cache: cache)).ToList();
        TensorAssert.Close(model.Hidden(ids), cat(steps, 1), 1e-5);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Hidden_PaddingOnEitherSide_ChangesNothing(string name)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create(name);
        var ids = Numbers.Ids(3, 23, 2, 5);
        var padding = Numbers.Ids(4, 23, 2, 3);
        var plain = model.Hidden(ids);
        var left = model.Hidden(cat([padding, ids], 1), Mask("00011111", "00011111"));
        var right = model.Hidden(cat([ids, padding], 1), Mask("11111000", "11111000"));
        TensorAssert.Close(plain, left.narrow(1, 3, 5), 1e-12);
        TensorAssert.Close(plain, right.narrow(1, 0, 5), 1e-12);
        TensorAssert.Finite(left);
        TensorAssert.Finite(right);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Hidden_PackedSequences_AreTheSequencesAlone(string name)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create(name);
        var (a, b, c) = (Numbers.Ids(20, 23, 1, 4), Numbers.Ids(21, 23, 1, 3), Numbers.Ids(22, 23, 1, 2));
        var padding = Numbers.Ids(23, 23, 1, 2);
        // Padding at the end, in the middle and before; the numbers of the segments need not rise one by one.
        var ids = cat([cat([a, b, c, padding], 1), cat([padding, c, a, b], 1), cat([b, padding, c, a], 1)], 0);
        var segments = Mask("11112223300", "00331111222", "11100772222");
        var packed = model.Hidden(ids, segments);
        (int Row, int Start, Tensor Ids)[] places =
        [
            (0, 0, a),
            (0, 4, b),
            (0, 7, c),
            (1, 2, c),
            (1, 4, a),
            (1, 8, b),
            (2, 0, b),
            (2, 5, c),
            (2, 7, a),
        ];
        foreach (var (row, start, alone) in places)
            TensorAssert.Close(model.Hidden(alone), packed.narrow(0, row, 1).narrow(1, start, alone.size(1)), 1e-12);

        using var cache = model.NewCache(3, 11);
        var parts = new[] { (0, 6), (6, 1), (7, 3), (10, 1) }
            .Select(part => model.Hidden(ids.narrow(1, part.Item1, part.Item2), segments.narrow(1, 0, part.Item1 + part.Item2), cache))
            .ToList();
        var real = segments.ne(0).unsqueeze(-1);
        TensorAssert.Close(packed * real, cat(parts, 1) * real, 1e-12);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Hidden_MaskOfOnes_IsNone(string name)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create(name);
        var ids = Numbers.Ids(24, 23, 2, 6);
        foreach (var type in new[] { ScalarType.Int64, ScalarType.Bool, ScalarType.Float32 })
            TensorAssert.Same(model.Hidden(ids), model.Hidden(ids, ones([2, 6], dtype: type)));
    }

    [Fact]
    public void Window_SeesItselfAndTheOnesBefore()
    {
        // One layer with a window of 3: position 5 looks at 3, 4 and 5.
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create(TinyModels.Llama with { Layers = 1, Attention = [new AttentionSpec { Window = 3 }] });
        var ids = Numbers.Ids(25, 23, 1, 8);
        var before = model.Hidden(ids);
        foreach (var changed in new[] { 2, 3 })
        {
            var other = ids.clone();
            other[0, changed] = (ids[0, changed] + 1) % 23;
            var moved = (model.Hidden(other) - before).abs().amax(2)[0];
            var seen = Enumerable.Range(0, 8).Where(t => moved[t].ToDouble() > 0);
            Assert.Equal([changed, changed + 1, changed + 2], seen);
        }
    }

    [Fact]
    public void SoftCaps_BoundTheLogits()
    {
        using var scope = NewDisposeScope();
        using var plain = TinyModels.Create(TinyModels.Llama);
        using var capped = TinyModels.Create(TinyModels.Llama with { LogitSoftCap = 0.5 });
        var ids = Numbers.Ids(26, 23, 1, 5);
        TensorAssert.Close(plain.call(ids).div(0.5).tanh().mul(0.5), capped.call(ids), 1e-15);
    }

    [Fact]
    public void Hidden_RowWithoutAnyToken_IsFiniteAndSoAreGradients()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama");
        var hidden = model.Hidden(Numbers.Ids(5, 23, 2, 4), Mask("0000", "0011"));
        TensorAssert.Finite(hidden);
        hidden.square().sum().backward();
        Assert.All(model.parameters(), parameter => TensorAssert.Finite(parameter.grad!));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Forward_LaterTokens_DoNotChangeEarlierLogits(string name)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create(name);
        var ids = Numbers.Ids(6, 23, 1, 8);
        var changed = ids.clone();
        changed[0, 5] = (ids[0, 5] + 1) % 23;
        TensorAssert.Same(model.call(ids).narrow(1, 0, 5), model.call(changed).narrow(1, 0, 5));
        Assert.True((model.call(ids) - model.call(changed)).narrow(1, 5, 3).abs().amin(2).min().ToDouble() > 0);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Forward_Gradient_AgreesWithFiniteDifferences(string name)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create(name);
        var ids = Numbers.Ids(7, 23, 2, 6);
        var weights = Numbers.Uniform(8, 1, 2, 6, 23);
        double Value() => (model.call(ids) * weights).sum().ToDouble();
        (model.call(ids) * weights).sum().backward();
        foreach (var (_, parameter) in model.named_parameters())
        {
            // One direction for each parameter: the derivative along it against (f(+h) - f(-h)) / 2h.
            var direction = Numbers.Uniform(9, 1, parameter.shape);
            var slope = (parameter.grad! * direction).sum().ToDouble();
            double Moved(double step)
            {
                using var mode = no_grad();
                parameter.add_(direction * step);
                var value = Value();
                parameter.sub_(direction * step);
                return value;
            }

            var measured = (Moved(1e-5) - Moved(-1e-5)) / 2e-5;
            Assert.InRange(measured - slope, -1e-6 * (1 + Math.Abs(slope)), 1e-6 * (1 + Math.Abs(slope)));
        }
    }

    [Fact]
    public void Create_SameSeed_SameWeights()
    {
        using var scope = NewDisposeScope();
        using var first = Decoder.Create(TinyModels.Gpt2, 11);
        using var second = Decoder.Create(TinyModels.Gpt2, 11);
        using var other = Decoder.Create(TinyModels.Gpt2, 12);
        foreach (
            var ((name, weight), (_, same), (_, different)) in first
                .named_parameters()
                .Zip(second.named_parameters(), other.named_parameters())
        )
        {
            TensorAssert.Same(weight, same);
            Assert.Equal(weight.Dimensions == 1, weight.allclose(different));
            if (weight.Dimensions == 2)
                Assert.Equal(name.EndsWith("c_proj.weight", StringComparison.Ordinal) ? 0.01 : 0.02, weight.std().ToDouble(), 0.003);
        }
    }

    [Fact]
    public void Parameters_AreNamedAsHuggingFaceDoes_AndTiedOnesCountOnce()
    {
        using var scope = NewDisposeScope();
        using var llama = Decoder.Create(TinyModels.Llama, 1);
        using var gpt2 = Decoder.Create(TinyModels.Gpt2 with { TiedEmbeddings = false }, 1);
        var names = llama.named_parameters().Select(item => item.name).ToList();
        Assert.Equal(2 * 9 + 2, names.Count);
        Assert.Contains("model.layers.1.self_attn.k_proj.weight", names);
        Assert.Contains("model.embed_tokens.weight", names);
        Assert.DoesNotContain("lm_head.weight", names);
        var others = gpt2.named_parameters().Select(item => item.name).ToList();
        Assert.Equal(2 * 12 + 5, others.Count);
        Assert.Contains("transformer.h.0.attn.c_attn.bias", others);
        Assert.Contains("lm_head.weight", others);
    }

    [Fact]
    public void To_AnotherType_MovesTablesToo()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama", ScalarType.Float32);
        var ids = Numbers.Ids(10, 23, 1, 6);
        var before = model.call(ids);
        model.to(ScalarType.Float64);
        var after = model.call(ids);
        Assert.Equal(ScalarType.Float64, after.dtype);
        TensorAssert.Close(before, after, 1e-5);
    }

    [Fact]
    public void Inputs_OutOfRange_AreRefusedWithTheLimit()
    {
        using var scope = NewDisposeScope();
        using var model = Decoder.Create(TinyModels.Llama, 1);
        Assert.Contains(
            "holds 23, expected ids from 0 to 22",
            Refusal(() => model.call(tensor(new long[] { 1, 23 }, [1, 2]))),
            StringComparison.Ordinal
        );
        Assert.Contains("holds -1", Refusal(() => model.call(tensor(new long[] { -1 }, [1, 1]))), StringComparison.Ordinal);
        Assert.Contains("25 positions", Refusal(() => model.call(zeros([1, 25], dtype: ScalarType.Int64))), StringComparison.Ordinal);
        Assert.Contains("[5], expected [B,T]", Refusal(() => model.call(zeros([5], dtype: ScalarType.Int64))), StringComparison.Ordinal);
        Assert.Contains(
            "[1,3], expected [1,4]",
            Refusal(() => model.Hidden(zeros([1, 4], dtype: ScalarType.Int64), ones([1, 3]))),
            StringComparison.Ordinal
        );
        using var cache = model.NewCache(2, 3);
        Assert.Contains(
            "2 rows of up to 3",
            Refusal(() => model.Hidden(zeros([2, 4], dtype: ScalarType.Int64), cache: cache)),
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentOutOfRangeException>(() => model.NewCache(1, 25));
        Assert.Throws<ArgumentOutOfRangeException>(() => Decoder.Create(TinyModels.Llama with { KeyValueHeads = 3 }, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Decoder.Create(TinyModels.Llama with { HeadSize = 5 }, 1));

        static string Refusal(Func<Tensor> call) => Assert.Throws<ArgumentException>(call).Message;
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void EveryCall_LeavesExactlyItsResultAlive(string name)
    {
        using var model = TinyModels.Create(name);
        using var ids = Numbers.Ids(11, 23, 2, 6);
        using var mask = Mask("001111", "111111");
        model.call(ids).Dispose();
        Ownership.Check(() => [model.forward(ids)], ids);
        Ownership.Check(() => [model.Hidden(ids, mask)], ids, mask);
        Ownership.Check(() =>
        {
            using var cache = model.NewCache(2, 6);
            using var rows = tensor(new long[] { 1 });
            cache.SelectRows(rows);
            return [];
        });
    }

    [Fact]
    public void SelectRows_KeepsTheirContinuations()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama");
        var ids = Numbers.Ids(12, 23, 3, 7);
        using var cache = model.NewCache(3, 8);
        model.Hidden(ids.narrow(1, 0, 6), cache: cache);
        var rows = tensor(new long[] { 2, 0 });
        cache.SelectRows(rows);
        var continued = model.Hidden(ids.index_select(0, rows).narrow(1, 6, 1), cache: cache);
        TensorAssert.Close(model.Hidden(ids).index_select(0, rows).narrow(1, 6, 1), continued, 1e-12);
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("gpt2")]
    public void Project_OfAnotherWidth_IsRefused(string name)
    {
        using var model = TinyModels.Create(name);
        using var hidden = zeros([1, 2, 7], dtype: ScalarType.Float64);

        var error = Assert.Throws<ArgumentException>(() => model.Project(hidden));

        Assert.Contains($"[1,2,7], expected [...,{model.Config.HiddenSize}]", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Copy_IsTheSameModel_AndSharesNothing(string name)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create(name, ScalarType.Float64);
        using var copy = model.Copy();
        var ids = Numbers.Ids(3, 23, 2, 7);
        var expected = model.call(ids);
        TensorAssert.Same(expected, copy.call(ids));
        Assert.Equal(model.named_parameters().Select(item => item.name), copy.named_parameters().Select(item => item.name));
        using (no_grad())
            foreach (var parameter in model.parameters())
                parameter.zero_();
        TensorAssert.Same(expected, copy.call(ids));
    }

    [Fact]
    public void Copy_ComputesInTheSameWay()
    {
        using var model = TinyModels.Create("llama", ScalarType.Float32);
        using (var plain = model.Copy())
            Assert.Equal((false, false), (plain.PaddingFree, plain.CheckpointActivations));
        model.PaddingFree = model.CheckpointActivations = true;
        using var copy = model.Copy();
        Assert.Equal((true, true), (copy.PaddingFree, copy.CheckpointActivations));
    }

    [Fact]
    public void Copy_WithAnAdapter_IsRefused()
    {
        using var model = TinyModels.Create("llama", ScalarType.Float32);
        using var adapter = AdaptedModel.Attach(model, new LoraOptions { Targets = ModuleSelection.AllLinear });
        Assert.Contains("has an adapter", Assert.Throws<InvalidOperationException>(model.Copy).Message, StringComparison.Ordinal);
    }
}
