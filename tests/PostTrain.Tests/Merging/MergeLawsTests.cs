using PostTrain.Adapters;
using PostTrain.Merging;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Merging;

/// <summary>Laws and closed forms of the merging functions.</summary>
public sealed class MergeLawsTests : IDisposable
{
    private static readonly MergeMethod[] Methods =
    [
        .. typeof(MergeMethod)
            .GetProperties(System.Reflection.BindingFlags.Public | System.Reflection.BindingFlags.Static)
            .Select(property => (MergeMethod)property.GetValue(null)!),
    ];

    private readonly DisposeScope scope = NewDisposeScope();

    public static TheoryData<string> Names => [.. Methods.Select(method => method.Name)];

    public void Dispose() => scope.Dispose();

    private static MergeMethod Method(string name) => Methods.Single(method => method.Name == name);

    // As many tensors as the method takes.
    private static MergeInputs Inputs(MergeMethod method, Tensor origin, params Tensor[] tensors) =>
        new()
        {
            Name = "model.layers.0.mlp.up_proj.weight",
            Base = method.Base == BaseUse.None ? null : origin,
            Tensors = method.Name is "slerp" or "nearswap" or "arcee_fusion" or "passthrough" ? tensors[..1] : tensors[..2],
            Parameters = new MergeParameters { T = 0.3 },
            Statistics = method.Name == "fisher" ? [ones_like(origin), ones_like(origin)] : [],
        };

    [Theory]
    [MemberData(nameof(Names))]
    public void MergeOfEquals_IsThatModel(string name)
    {
        var method = Method(name);
        var model = Numbers.Uniform(3, 1, 6, 5);
        TensorAssert.Close(model, method.Merge(Inputs(method, model, model, model)), 1e-7, name);
        // And the shape of vectors.
        TensorAssert.Close(model[0], method.Merge(Inputs(method, model[0], model[0], model[0])), 1e-7, name);
    }

    [Theory]
    [InlineData("ties")]
    [InlineData("sce")]
    [InlineData("ram")]
    [InlineData("model_stock")]
    [InlineData("linear")]
    public void TheSameTaskTwice_IsThatTask(string name)
    {
        var method = Method(name);
        var (origin, model) = (Numbers.Uniform(1, 1, 4, 5), Numbers.Uniform(2, 1, 4, 5));
        TensorAssert.Close(model, method.Merge(Inputs(method, origin, model, model)), 1e-9, name);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Methods_OwnWhatTheyReturn(string name)
    {
        var method = Method(name);
        Tensor[] inputs = [Numbers.Uniform(1, 1, 4, 5), Numbers.Uniform(2, 1, 4, 5), Numbers.Uniform(3, 1, 4, 5)];
        var all = Inputs(method, inputs[0], inputs[1], inputs[2]);
        Ownership.Check(() => [method.Merge(all)], inputs);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void OtherShapes_AreRefused(string name)
    {
        var method = Method(name);
        var inputs = Inputs(method, ones(2, 3), ones(3, 2), ones(2, 4));
        if (method.Name != "passthrough")
            Assert.ThrowsAny<Exception>(() => method.Merge(inputs));
        Assert.ThrowsAny<ArgumentException>(() => method.Merge(inputs with { Tensors = [] }));
    }

    [Fact]
    public void Slerp_HasItsEnds_KeepsTheNorm_AndIsTheStraightLineAtSmallAngles()
    {
        var (a, b) = (Unit(Numbers.Uniform(1, 1, 40)), Unit(Numbers.Uniform(2, 1, 40)));
        TensorAssert.Close(a, SphericalMerge.Slerp(a, b, 0), 1e-12);
        TensorAssert.Close(b, SphericalMerge.Slerp(a, b, 1), 1e-12);
        var angle = Math.Acos((a * b).sum().ToDouble());
        foreach (var t in (double[])[0.1, 0.4, 0.77])
        {
            var point = SphericalMerge.Slerp(a, b, t);
            TensorAssert.Close(1, point.square().sum(), 1e-12);
            Assert.Equal(t * angle, Math.Acos((a * point).sum().ToDouble()), 1e-9);
        }

        // The distance from the straight line falls with the square of the angle.
        var side = Unit(b - (a * b).sum() * a);
        double Gap(double size)
        {
            var end = a * Math.Cos(size) + side * Math.Sin(size);
            return (SphericalMerge.Slerp(a, end, 0.25) - (a * 0.75 + end * 0.25)).square().sum().sqrt().ToDouble();
        }

        Assert.InRange(Gap(0.08) / Gap(0.04), 3.9, 4.1);
        // Where the angle is so small that mergekit takes the straight line, it is that line.
        Assert.InRange(Gap(0.01), 0, 1e-15);
    }

    [Fact]
    public void KarcherOfTwo_IsTheMiddleOfTheArc()
    {
        var (a, b) = (Numbers.Uniform(5, 1, 6, 7), Numbers.Uniform(6, 1, 6, 7));
        var (unitA, unitB) = (Unit(a), Unit(b));
        var norm = (a.square().sum().sqrt() + b.square().sum().sqrt()) / 2;
        TensorAssert.Close(SphericalMerge.Slerp(unitA, unitB, 0.5) * norm, SphericalMerge.Karcher([a, b], 50, 1e-12), 1e-9);
    }

    [Fact]
    public void Karcher_IsWhereTheTangentsCancel()
    {
        Tensor[] points = [.. Enumerable.Range(0, 4).Select(seed => Unit(Numbers.Uniform(seed, 1, 12) + 0.8))];
        var mean = SphericalMerge.Karcher(points, 200, 1e-13);
        var sum = zeros_like(mean);
        foreach (var point in points)
        {
            var cosine = (mean * point).sum();
            var angle = cosine.acos();
            sum += (point - cosine * mean) * angle / angle.sin();
        }

        TensorAssert.Close(zeros(12, dtype: ScalarType.Float64), sum, 1e-10);
    }

    [Fact]
    public void ModelStock_IsItsClosedForm()
    {
        var origin = Numbers.Uniform(9, 1, 2);
        // Two task vectors of one length at 60 degrees: t = 2·½ / (1 + ½) = ⅔.
        Tensor At(double degrees) => origin + tensor(new[] { Math.Cos(degrees * Math.PI / 180), Math.Sin(degrees * Math.PI / 180) });
        var middle = (At(0) + At(60)) / 2;
        TensorAssert.Close(middle * (2.0 / 3) + origin / 3, SelectiveMerge.ModelStock(origin, [At(0), At(60)]), 1e-12);
        // At right angles the base is nearest, and of parallel ones the mean.
        TensorAssert.Close(origin, SelectiveMerge.ModelStock(origin, [At(0), At(90)]), 1e-12);
        TensorAssert.Close(At(10), SelectiveMerge.ModelStock(origin, [At(10), At(10), At(10)]), 1e-12);
    }

    [Theory]
    [InlineData(Convention.Mergekit)]
    [InlineData(Convention.Peft)]
    public void Ties_IsTheEnumerationOfItsEntries(Convention convention)
    {
        var origin = Numbers.Uniform(1, 1, 30);
        Tensor[] tensors = [.. Enumerable.Range(2, 3).Select(seed => Numbers.Uniform(seed, 1, 30))];
        double[] weights = [1, 0.3, 0.6];
        var merged = MergeMethod.Ties.Merge(
            new MergeInputs
            {
                Name = "w",
                Base = origin,
                Tensors = tensors,
                Convention = convention,
                Parameters = new MergeParameters { Density = 0.5 },
                ModelParameters = [.. weights.Select(weight => new MergeParameters { Weight = weight, Density = 0.5 })],
            }
        );
        var start = Numbers.Values(origin);
        var deltas = tensors.Select(item => Numbers.Values(item).Zip(start, (a, b) => a - b).ToArray()).ToArray();
        foreach (var delta in deltas)
        {
            var least = delta.Select(Math.Abs).OrderDescending().ElementAt(14);
            for (var i = 0; i < 30; i++)
                delta[i] = Math.Abs(delta[i]) >= least ? delta[i] : 0;
        }

        var expected = new double[30];
        for (var i = 0; i < 30; i++)
        {
            var vote = deltas.Zip(weights, (delta, weight) => delta[i] * (convention == Convention.Mergekit ? weight : 1)).Sum();
            var agreeing = Enumerable.Range(0, 3).Where(k => deltas[k][i] != 0 && deltas[k][i] > 0 == vote >= 0).ToList();
            var sum = agreeing.Sum(k => weights[k] * deltas[k][i]);
            var divisor = convention == Convention.Mergekit ? agreeing.Sum(k => weights[k]) : agreeing.Count;
            expected[i] = start[i] + (agreeing.Count == 0 ? 0 : sum / divisor);
        }

        TensorAssert.Close(expected, merged, 1e-12);
    }

    [Fact]
    public void Dare_IsUnbiasedInPeftsConvention_AndTaskArithmeticWhereNothingDrops()
    {
        var delta = Numbers.Uniform(4, 1, 6);
        var options = new SparsificationOptions
        {
            Kind = SparsificationKind.Random,
            Density = 0.4,
            Rescale = true,
            Convention = Convention.Peft,
        };
        const int draws = 20_000;
        var mean = zeros_like(delta);
        for (var seed = 0; seed < draws; seed++)
        {
            using var inner = NewDisposeScope();
            mean.add_(Sparsification.Sparsify(delta, options, (ulong)seed));
        }

        // Standard deviation of an entry's mean: |δ| √((1 − p) / p / draws).
        var bound = delta.abs() * (4.5 * Math.Sqrt(0.6 / 0.4 / draws));
        Assert.True((mean / draws - delta).abs().le(bound).all().ToBoolean());

        // mergekit's rescaling keeps the L1 norm of every draw instead.
        var kept = Sparsification.Sparsify(delta, options with { Convention = Convention.Mergekit }, 1);
        TensorAssert.Close(delta.abs().sum().ToDouble(), kept.abs().sum(), 1e-12);
        TensorAssert.Same(delta, Sparsification.Sparsify(delta, options with { Density = 1 }, 1));
        var (origin, other) = (Numbers.Uniform(7, 1, 6), Numbers.Uniform(8, 1, 6));
        TensorAssert.Same(
            MergeMethod.TaskArithmetic.Merge(Inputs(MergeMethod.TaskArithmetic, origin, delta, other)),
            MergeMethod.DareLinear.Merge(Inputs(MergeMethod.DareLinear, origin, delta, other))
        );
    }

    [Fact]
    public void Della_KeepsEachEntryWithItsProbability()
    {
        var delta = Numbers.Uniform(4, 1, 2, 5);
        var probability = Sparsification.KeepProbability(delta, 0.5, 0.3);
        foreach (var row in (int[])[0, 1])
            Assert.Equal(
                [0.2, 0.35, 0.5, 0.65, 0.8],
                Numbers
                    .Values(probability[row])
                    .Zip(Numbers.Values(delta[row].abs()))
                    .OrderBy(pair => pair.Second)
                    .Select(pair => Math.Round(pair.First, 12))
            );
        const int draws = 5000;
        var count = zeros_like(delta);
        for (var seed = 0; seed < draws; seed++)
        {
            using var inner = NewDisposeScope();
            count.add_(Sparsification.RandomMask(probability, (ulong)seed));
        }

        var deviation = (probability * (1 - probability) / draws).sqrt();
        Assert.True((count / draws - probability).abs().le(deviation * 4.5).all().ToBoolean());
    }

    [Fact]
    public void Breadcrumbs_LoseSmallTensorsInMergekitsConventionOnly()
    {
        var delta = Numbers.Uniform(4, 1, 20);
        Assert.False(Sparsification.OutlierMask(delta, 0.5, 0.01).any().ToBoolean());
        TensorAssert.Same(
            Sparsification.MagnitudeMask(delta, 0.5),
            Sparsification.OutlierMask(delta, 0.5, 0.01, Convention.Peft),
            "no large entry goes: the largest half stays"
        );
        Assert.Equal(10, Sparsification.OutlierMask(delta, 0.5, 0.1).sum().ToInt64());
    }

    [Fact]
    public void SumOfDisjointTasks_IsTheJointOptimum()
    {
        // Inputs of the two tasks live in orthogonal subspaces: each task's least squares leaves the other's columns as in the base.
        var origin = Numbers.Uniform(1, 1, 3, 6);
        var (x, z) = (Numbers.Uniform(2, 1, 20, 6), Numbers.Uniform(3, 1, 20, 6));
        x = cat([x.narrow(1, 0, 3), zeros(20, 3, dtype: ScalarType.Float64)], 1);
        z = cat([zeros(20, 3, dtype: ScalarType.Float64), z.narrow(1, 3, 3)], 1);
        var (y, w) = (Numbers.Uniform(4, 1, 20, 3), Numbers.Uniform(5, 1, 20, 3));
        Tensor Tuned(Tensor inputs, Tensor outputs) => origin + Least(inputs, outputs - inputs.mm(origin.t())).t();
        var merged = LinearMerge.Combine(origin, [Tuned(x, y) - origin, Tuned(z, w) - origin], [1, 1]);
        TensorAssert.Close(Least(cat([x, z], 0), cat([y, w], 0)).t(), merged, 1e-9);
    }

    [Fact]
    public void RegMean_IsTheJointLeastSquares()
    {
        Tensor[] inputs = [Numbers.Uniform(1, 1, 30, 4), Numbers.Uniform(2, 2, 12, 4), Numbers.Uniform(3, 0.5, 9, 4)];
        Tensor[] outputs = [Numbers.Uniform(4, 1, 30, 2), Numbers.Uniform(5, 1, 12, 2), Numbers.Uniform(6, 1, 9, 2)];
        Tensor[] models = [.. inputs.Zip(outputs, (x, y) => Least(x, y).t())];
        Tensor[] grams = [.. inputs.Select(x => x.t().mm(x))];
        var merged = StatisticalMerge.RegMean(models, grams, [1, 1, 1]);
        TensorAssert.Close(Least(cat(inputs, 0), cat(outputs, 0)).t(), merged, 1e-9);
        // Off the diagonal nothing: each column apart, which is Fisher's weighting by that diagonal.
        TensorAssert.Close(
            StatisticalMerge.Fisher(models, [.. grams.Select(gram => gram.diagonal().expand(2, 4))], [1, 1, 1]),
            StatisticalMerge.RegMean(models, grams, [1, 1, 1], offDiagonal: 0),
            1e-9
        );
        Assert.Throws<ArgumentException>(() => StatisticalMerge.RegMean(models, [.. grams.Select(gram => zeros_like(gram))], [1, 1, 1]));
    }

    [Fact]
    public void Fisher_IsTheJointOptimumOfGaussianTasks()
    {
        // Designs with orthogonal columns: the Fisher information is diagonal.
        double[][] scales =
        [
            [1, 2, 0.5],
            [3, 0.1, 1],
        ];
        var y = Numbers.Uniform(7, 1, 2, 3);
        Tensor[] designs = [.. scales.Select(row => tensor(row).diag())];
        Tensor[] models = [.. designs.Select((design, i) => Least(design, y[i].unsqueeze(1)).squeeze(1))];
        Tensor[] fishers = [.. scales.Select(row => tensor(row).square())];
        var joint = Least(cat(designs, 0), cat([y[0], y[1]], 0).unsqueeze(1)).squeeze(1);
        TensorAssert.Close(joint, StatisticalMerge.Fisher(models, fishers, [1, 1]), 1e-12);
        // Where nobody knows anything, the mean.
        TensorAssert.Close(
            (models[0] + models[1]) / 2,
            StatisticalMerge.Fisher(models, [zeros_like(joint), zeros_like(joint)], [1, 1]),
            1e-12
        );
        Assert.Throws<ArgumentException>(() => StatisticalMerge.Fisher(models, [-fishers[0], fishers[1]], [1, 1]));
    }

    [Fact]
    public void NearSwap_TakesWhatIsNearWhole()
    {
        var (a, b) = (tensor(new[] { 0.0, 1.0, 2.0 }), tensor(new[] { 0.05, 1.4, 1.0 }));
        TensorAssert.Close([0.05, 1.1, 1.9], SelectiveMerge.NearSwap(a, b, 0.1), 1e-12);
    }

    [Fact]
    public void OwnMethod_SeesItsTensors()
    {
        var method = MergeMethod.Of("largest", inputs => inputs.Tensors.Aggregate(maximum), BaseUse.Optional);
        var (a, b) = (Numbers.Uniform(1, 1, 3), Numbers.Uniform(2, 1, 3));
        TensorAssert.Same(maximum(a, b), method.Merge(Inputs(method, a, a, b)));
        var wrong = MergeMethod.Of("wrong", _ => ones(2));
        Assert.Contains(
            "wrong",
            Assert.Throws<InvalidOperationException>(() => wrong.Merge(Inputs(wrong, a, a, b))).Message,
            StringComparison.Ordinal
        );
    }

    private static Tensor Unit(Tensor values) => values / values.square().sum().sqrt();

    // The least squares of least norm.
    private static Tensor Least(Tensor inputs, Tensor outputs) => linalg.pinv(inputs).mm(outputs);
}
