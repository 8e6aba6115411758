using PostTrain.Operators;
using PostTrain.Tests.Kernels;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Operators;

[Collection("Sequential")]
public sealed class AttentionOperatorTests
{
    // Heads, key and value heads, head size, elements turned: sizes that are whole vectors and sizes that are not.
    private static readonly (int Heads, int KeyValueHeads, int Size, int Turned)[] Kinds =
    [
        (1, 1, 1, 0),
        (2, 1, 3, 2),
        (4, 2, 8, 8),
        (2, 2, 6, 6),
        (3, 3, 16, 0),
        (6, 2, 20, 12),
        (1, 1, 64, 64),
    ];

    [Fact]
    public void Result_OfTwoPositions_IsWorkedByHand()
    {
        using var scope = NewDisposeScope();
        // The second query's scores are log 3 and 0: weights 3/4 and 1/4.
        var shape = Shape(1, 2, (1, 1, 1, 0), scale: 1);
        var output = AttentionOperator.Run(
            tensor(new[] { 5.0, 1 }).view(1, 2, 1),
            tensor(new[] { Math.Log(3), 0 }).view(1, 2, 1),
            tensor(new[] { 8.0, 4 }).view(1, 2, 1),
            null,
            null,
            shape,
            VisibleKeys.All(2, null)
        );
        TensorAssert.Close([8, 7], output, 1e-14);
    }

    [Theory]
    [InlineData(ScalarType.Float64)]
    [InlineData(ScalarType.Float32)]
    public void Operator_IsTheTensorOperators(ScalarType type)
    {
        var seed = 0;
        foreach (var kind in Kinds)
        foreach (var length in new[] { 1, 2, 5, 16, 17, 40, 131, 150 })
        {
            if (length > 100 && kind.Size is not (3 or 8))
                continue;
            using var scope = NewDisposeScope();
            seed++;
            var batch = 1 + seed % 3;
            var shape = Shape(batch, length, kind, scale: 0.7, softCap: seed % 4 == 0 ? 1.5 : 0, angles: seed % 2 == 0 ? batch : 1);
            var visible = Visible(seed, batch, length);
            Check(seed, type, shape, visible);
            Check(seed, type, shape with { Joint = true }, visible);
        }
    }

    [Fact]
    public void Gradients_AreThoseOfDifferences_AndOfTheSecondOrder()
    {
        using var scope = NewDisposeScope();
        var shape = Shape(2, 5, (2, 1, 4, 2), scale: 0.7, softCap: 2, angles: 2);
        var visible = VisibleKeys.Of([0, 1, 1, 2, 2, 1, 1, 1, 1, 1], 5, 2, out _);
        var (cosine, sine) = Angles(shape, ScalarType.Float64);
        var inputs = Inputs(3, ScalarType.Float64, shape);
        GradientCheck.Run(x => Run(x, cosine, sine, shape, visible).sin().sum(), inputs);
        OperatorCheck.AgreeTwice(
            x => Run(x, cosine, sine, shape, visible),
            x => AttentionReference.Run(x[0], x[1], x[2], cosine, sine, shape, visible),
            inputs
        );
        OperatorCheck.AgreeTwice(
            x => Run(x, cosine, sine, shape, visible),
            x => AttentionReference.Run(x[0], x[1], x[2], cosine, sine, shape, visible),
            Array.ConvertAll(inputs, input => input.to_type(ScalarType.BFloat16))
        );
    }

    [Fact]
    public void InBFloat16_ValueIsTheRoundedSingle_AndGradientsAreThoseAtIt()
    {
        var seed = 0;
        foreach (var kind in Kinds)
        foreach (var length in new[] { 1, 5, 40, 131 })
        {
            if (length > 100 && kind.Size is not (3 or 8))
                continue;
            using var scope = NewDisposeScope();
            seed++;
            var batch = 1 + seed % 3;
            var shape = Shape(batch, length, kind, scale: 0.7, softCap: seed % 4 == 0 ? 1.5 : 0) with { Joint = seed % 2 == 0 };
            var visible = Visible(seed, batch, length);
            var (cosine, sine) = Angles(shape, ScalarType.Float32);
            var inputs = Inputs(seed, ScalarType.BFloat16, shape);
            var wide = Array.ConvertAll(inputs, input => input.to_type(ScalarType.Float32));
            var value = Run(inputs, cosine, sine, shape, visible);
            TensorAssert.Same(Run(wide, cosine, sine, shape, visible).to_type(ScalarType.BFloat16), value);

            // Both results of the forward pass go into the backward pass: the rounded value and float32's log-sums.
            var upstream = Numbers.Uniform(78, 1, value.shape).to_type(ScalarType.BFloat16);
            var leaves = Array.ConvertAll(inputs, input => input.clone().requires_grad_(true));
            Run(leaves, cosine, sine, shape, visible).backward([upstream]);
            var wanted = AttentionGradients.Of(wide, cosine, sine, shape, visible, value, upstream);
            for (var i = 0; i < inputs.Length; i++)
                TensorAssert.Same(wanted[i].to_type(ScalarType.BFloat16), leaves[i].grad!, $"gradient {i} of {shape}");

            // The rounding of the result changes its product with the upstream gradient by about 1/256 of its size.
            var tensors = Array.ConvertAll(inputs, input => input.clone().requires_grad_(true));
            var reference = Reference(tensors, cosine, sine, shape, visible);
            reference.backward([upstream]);
            TensorAssert.Close(reference, value, OperatorCheck.Tolerance(ScalarType.BFloat16), "value");
            for (var i = 0; i < inputs.Length; i++)
                TensorAssert.Close(tensors[i].grad!, leaves[i].grad!, 0.05, $"gradient {i}");
        }
    }

    [Fact]
    public void Segments_AreEachAlone()
    {
        using var scope = NewDisposeScope();
        var (first, second) = (Shape(1, 7, (4, 2, 8, 0), 1), Shape(1, 12, (4, 2, 8, 0), 1));
        var apart = new[] { Inputs(1, ScalarType.Float64, first), Inputs(2, ScalarType.Float64, second) };
        var together = apart[0].Zip(apart[1], (a, b) => cat([a, b], 1)).ToArray();
        long[] segments = [1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2];
        var packed = Run(together, null, null, Shape(1, 19, (4, 2, 8, 0), 1), VisibleKeys.Of(segments, 19, null, out var positions));
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], positions);
        TensorAssert.Close(Run(apart[0], null, null, first, VisibleKeys.All(7, null)), packed.narrow(1, 0, 7), 1e-13);
        TensorAssert.Close(Run(apart[1], null, null, second, VisibleKeys.All(12, null)), packed.narrow(1, 7, 12), 1e-13);
    }

    [Fact]
    public void WhatIsNotSeen_IsNotRead()
    {
        using var scope = NewDisposeScope();
        var shape = Shape(1, 40, (2, 1, 8, 0), 1);
        var inputs = Inputs(1, ScalarType.Float64, shape);
        var before = Run(inputs, null, null, shape, VisibleKeys.All(40, 3));
        // A window of 3 from position 35 on sees nothing before 33.
        inputs[1][0, 10, 0] = 1e6;
        inputs[2][0, 10, 0] = 1e6;
        var after = Run(inputs, null, null, shape, VisibleKeys.All(40, 3));
        TensorAssert.Same(before.narrow(1, 13, 27), after.narrow(1, 13, 27));
        TensorAssert.Same(before.narrow(1, 0, 10), after.narrow(1, 0, 10));
    }

    [Fact]
    public void VisibleKeys_OfASegmentWithAHole_LeaveTheHoleOut()
    {
        var visible = VisibleKeys.Of([1, 0, 1, 1, 0], 5, 2, out var positions);
        Assert.True(visible.HasGaps);
        Assert.Equal([0, 0, 1, 2, 0], positions);
        Assert.Equal([0, 1, 0, 2, 1], Enumerable.Range(0, 5).Select(i => visible.First(0, i)));
        Assert.False(visible.Sees(0, 2, 1));
        Assert.False(VisibleKeys.Of([0, 1, 1, 2, 2], 5, null, out _).HasGaps);
        Assert.True(VisibleKeys.AreWhole([1, 1, 3, 3], 2));
        Assert.False(VisibleKeys.AreWhole([1, 1, 0, 0], 2));
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Bits_DoNotDependOnThreads_AndNothingStaysAlive(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var shape = Shape(3, 70, (4, 2, 8, 8), 0.5);
        var visible = VisibleKeys.All(70, null);
        var (cosine, sine) = Angles(shape, ScalarType.Float32);
        var inputs = Inputs(5, type, shape);
        OperatorCheck.IsTheSameForTwoThreads(x => Run(x, cosine, sine, shape, visible), inputs);
        OperatorCheck.LeavesNothing(x => Run(x, cosine, sine, shape, visible), inputs);
    }

    [Fact]
    public void LargeScores_GiveFiniteResults()
    {
        using var scope = NewDisposeScope();
        var shape = Shape(1, 150, (1, 1, 8, 0), 100);
        var inputs = Inputs(6, ScalarType.Float32, shape);
        var leaves = Array.ConvertAll(inputs, input => (input * 30).requires_grad_(true));
        var output = Run(leaves, null, null, shape, VisibleKeys.All(150, null));
        output.sum().backward();
        TensorAssert.Finite(output);
        Assert.All(leaves, leaf => TensorAssert.Finite(leaf.grad!));
    }

    private static void Check(int seed, ScalarType type, AttentionShape shape, VisibleKeys visible)
    {
        var (cosine, sine) = Angles(shape, type);
        OperatorCheck.Agree(
            x => Run(x, cosine, sine, shape, visible),
            x => Reference(x, cosine, sine, shape, visible),
            type,
            Inputs(seed, type, shape)
        );
    }

    private static Tensor Reference(Tensor[] x, Tensor? cosine, Tensor? sine, AttentionShape shape, VisibleKeys visible) =>
        AttentionReference.Run(x[0], shape.Joint ? null : x[1], shape.Joint ? null : x[2], cosine, sine, shape, visible);

    private static Tensor Run(Tensor[] x, Tensor? cosine, Tensor? sine, AttentionShape shape, VisibleKeys visible) =>
        AttentionOperator.Run(x[0], shape.Joint ? null : x[1], shape.Joint ? null : x[2], cosine, sine, shape, visible);

    private static VisibleKeys Visible(int seed, int batch, int length)
    {
        int? window = seed % 3 == 0 ? 1 + seed % 7 : null;
        if (seed % 5 == 0)
            return VisibleKeys.All(length, window);
        var random = new Random(seed);
        // Padding on both sides, two sequences a row, and on odd seeds holes.
        var segments = new long[batch * length];
        for (var i = 0; i < segments.Length; i++)
        {
            var t = i % length;
            segments[i] =
                t < length / 8 || t >= length - length / 9 ? 0
                : t < length / 2 ? 1
                : 2;
            if (seed % 2 == 1 && random.Next(6) == 0)
                segments[i] = random.Next(3);
        }
        return VisibleKeys.Of(segments, length, window, out _);
    }

    private static Tensor[] Inputs(int seed, ScalarType type, AttentionShape shape)
    {
        long queries = (long)shape.Heads * shape.HeadSize,
            keys = (long)shape.KeyValueHeads * shape.HeadSize;
        Tensor Of(int which, long width) => KernelFuzz.Make(10 * seed + which, type, seed % 2 == 0, 2, 0, shape.Batch, shape.Length, width);
        return shape.Joint ? [Of(0, queries + 2 * keys)] : [Of(1, queries), Of(2, keys), Of(3, keys)];
    }

    private static (Tensor? Cosine, Tensor? Sine) Angles(AttentionShape shape, ScalarType type)
    {
        if (shape.Turned == 0)
            return (null, null);
        var angles = Numbers.Uniform(9, 3, shape.Angles, shape.Length, 1, 1, shape.Turned / 2);
        return (cat([angles.cos(), angles.cos()], 3).to_type(type), cat([-angles.sin(), angles.sin()], 3).to_type(type));
    }

    private static AttentionShape Shape(
        int batch,
        int length,
        (int Heads, int KeyValueHeads, int Size, int Turned) kind,
        double scale,
        double softCap = 0,
        int angles = 1
    ) => new(batch, length, kind.Heads, kind.KeyValueHeads, kind.Size, kind.Turned, angles, scale, softCap, false);
}
