using PostTrain.Models;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training;

// A checkpoint holds the state of the generator that the whole process shares.
[Collection("Sequential")]
public sealed class CheckpointTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void Load_GivesBackWeightsMomentsAndTheGenerator()
    {
        using var model = Toy.Model();
        using var optimization = Trained(model);
        var weights = Toy.Bytes(model);
        var path = Save(model, optimization, step: 2);
        Assert.Equal(directory.File("checkpoint-00000002"), path);
        var drawn = Draw();

        using var other = Toy.Model(seed: 2);
        using var fresh = new Optimization(other, new SftOptions());
        var state = Checkpoint.Load(path, other, fresh);
        Assert.Equal(new TrainingState(TrainingState.CurrentFormat, 2, 2, 16, 5, 1.5) { Values = state.Values }, state);
        Assert.Empty(state.Values);
        Assert.Equal(weights, Toy.Bytes(other));
        Assert.Equal(Moments(optimization), Moments(fresh));
        Assert.Equal(2, fresh.Updates);
        Assert.Equal(drawn, Draw());
    }

    [Fact]
    public void Save_SameStep_ReplacesIt()
    {
        using var model = Toy.Model();
        using var optimization = Trained(model);
        Save(model, optimization, step: 2);
        optimization.Update(1, _ => Loss(model));
        Save(model, optimization, step: 2);
        Assert.Equal(directory.File("checkpoint-00000002"), Assert.Single(Directory.GetFileSystemEntries(directory.Path)));
        var weights = Toy.Bytes(model);
        optimization.Update(1, _ => Loss(model));
        Checkpoint.Load(directory.File("checkpoint-00000002"), model, optimization);
        Assert.Equal(weights, Toy.Bytes(model));
    }

    // The moments at which a process can be killed while it replaces a checkpoint of the same step, as the disk then looks.
    [Fact]
    public void Save_KilledWhileReplacing_LeavesTheOldOrTheNew()
    {
        using var model = Toy.Model();
        using var optimization = Trained(model);
        Save(model, optimization, step: 1);
        var target = Save(model, optimization, step: 2);
        var weights = Toy.Bytes(model);
        string aside = directory.File(".checkpoint-00000002-replaced"),
            partial = directory.File($".checkpoint-00000002-{Guid.NewGuid():N}");
        Copy("checkpoint-00000002", Path.GetFileName(partial));
        Assert.Equal(target, Checkpoint.Latest(directory.Path));
        Directory.Move(target, aside);
        Assert.Equal(aside, Checkpoint.Latest(directory.Path));
        optimization.Update(1, _ => Loss(model));
        Assert.Equal(2, Checkpoint.Load(aside, model, optimization).Step);
        Assert.Equal(weights, Toy.Bytes(model));
        // The next save tidies up: the old one has its name again.
        Save(model, optimization, step: 3);
        Assert.Equal(
            ["checkpoint-00000001", "checkpoint-00000002", "checkpoint-00000003"],
            Directory.GetFileSystemEntries(directory.Path).Select(Path.GetFileName).Order()
        );
        // After the second rename the new one counts.
        Copy("checkpoint-00000001", Path.GetFileName(aside));
        Assert.Equal(directory.File("checkpoint-00000003"), Checkpoint.Latest(directory.Path));
        Save(model, optimization, step: 4);
        Assert.False(Directory.Exists(aside));
        Assert.Equal(2, Checkpoint.Load(target, model, optimization).Step);
    }

    // Adam corrects its means by the number of updates that a parameter took part in.
    [Fact]
    public void Load_ParameterThatWasNotInEveryUpdate_GoesOnWithItsOwnCount()
    {
        using var model = nn.Linear(2, 2);
        using var other = nn.Linear(2, 2);
        using var optimization = new Optimization(model, new SftOptions { LearningRate = 0.1 });
        using var resumed = new Optimization(other, new SftOptions { LearningRate = 0.1 });
        for (int step = 0; step < 3; step++)
            optimization.Update(1, _ => model.weight!.square().sum());
        var path = Checkpoint.Save(directory.Path, model, optimization, new TrainingState(TrainingState.CurrentFormat, 3, 3, 0, 0, 0));
        Checkpoint.Load(path, other, resumed);
        optimization.Update(1, _ => (model.weight! - 1).square().sum() + (model.bias! - 1).square().sum());
        resumed.Update(1, _ => (other.weight! - 1).square().sum() + (other.bias! - 1).square().sum());
        Assert.Equal(Toy.Bytes(model), Toy.Bytes(other));
    }

    [Fact]
    public void Latest_IsTheHighestStep_AndPassesOverWhatIsNoCheckpoint()
    {
        Assert.Null(Checkpoint.Latest(directory.File("missing")));
        Assert.Null(Checkpoint.Latest(directory.Path));
        using var model = Toy.Model();
        using var optimization = Trained(model);
        // Nine digits sort before eight by name.
        foreach (long step in new[] { 3L, 20, 100_000_000 })
            Save(model, optimization, step);
        Assert.Equal(directory.File("checkpoint-100000000"), Checkpoint.Latest(directory.Path));
        Directory.Delete(directory.File("checkpoint-100000000"), recursive: true);

        Copy("checkpoint-00000003", ".checkpoint-00000099-0123456789abcdef");
        Copy("checkpoint-00000003", "checkpoint-best");
        Directory.CreateDirectory(directory.File("checkpoint-00000098"));
        directory.Write("checkpoint-00000097", "a file");
        Assert.Equal(directory.File("checkpoint-00000020"), Checkpoint.Latest(directory.Path));
    }

    [Theory]
    [InlineData("state.json", null, "state.json")]
    [InlineData("state.json", "{", "not the state of a run")]
    [InlineData("state.json", "null", "not the state of a run")]
    [InlineData("state.json", """{"Format":2}""", "Step")]
    [InlineData(
        "state.json",
        """{"Format":1,"Step":2,"Updates":2,"DataPosition":16,"Seed":5,"ElapsedSeconds":1}""",
        "format 1, expected 2"
    )]
    [InlineData("state.json", """{"Format":2,"Step":2,"Updates":2,"DataPosition":-1,"Seed":5,"ElapsedSeconds":1}""", "negative")]
    [InlineData(
        "state.json",
        """{"Format":2,"Step":2,"Updates":2,"DataPosition":16,"Seed":5,"ElapsedSeconds":1e300}""",
        "ElapsedSeconds = 1E+300"
    )]
    [InlineData("model.safetensors", null, "model.safetensors")]
    [InlineData("model.safetensors", "truncate", "byte")]
    [InlineData("model.safetensors", "empty", "byte")]
    [InlineData("optimizer.safetensors", null, "optimizer.safetensors")]
    [InlineData("optimizer.safetensors", "truncate", "byte")]
    [InlineData("optimizer.safetensors", "no generator", "tensor random_state is missing")]
    [InlineData("optimizer.safetensors", "negative steps", "steps holds -1")]
    [InlineData("optimizer.safetensors", "one more", "tensor stranger belongs to no trained parameter of this run")]
    public void Load_BrokenFile_IsNamedAndNothingChanges(string file, string? damage, string reason)
    {
        using var model = Toy.Model();
        using var optimization = Trained(model);
        var path = Path.Combine(Save(model, optimization, step: 2), file);
        Damage(path, damage);
        Refused(Path.GetDirectoryName(path)!, path, reason, layers: 1, hidden: 16);
    }

    [Theory]
    [InlineData(2, 16, "model.layers.1")]
    [InlineData(1, 32, "[20, 16], expected Float32 [20, 32]")]
    public void Load_OfAnotherModel_IsNamedAndNothingChanges(int layers, int hidden, string reason)
    {
        using var model = Toy.Model();
        using var optimization = Trained(model);
        var path = Save(model, optimization, step: 2);
        Refused(path, Path.Combine(path, "model.safetensors"), reason, layers, hidden);
    }

    [Fact]
    public async Task Resume_WithAnotherSeed_IsRefusedAndNothingChanges()
    {
        using var model = Toy.Model();
        await TrainedRuns.Run("sft", model, directory.Path, seed: 3);
        using var other = Toy.Model(seed: 2);
        var before = Toy.Bytes(other);
        var error = await Assert.ThrowsAsync<ArgumentException>(() =>
            TrainedRuns.Run("sft", other, null, resume: Checkpoint.Latest(directory.Path), seed: 4)
        );
        Assert.Contains("was made with seed 3, the options say 4", error.Message, StringComparison.Ordinal);
        Assert.Equal(before, Toy.Bytes(other));
    }

    [TmpfsFact]
    public void Save_FullDisk_KeepsTheOlderCheckpointAndLeavesNothing()
    {
        using var model = Toy.Model();
        using var optimization = Trained(model);
        long size = Directory.GetFiles(Save(model, optimization, step: 1)).Sum(file => new FileInfo(file).Length);
        // Room for one checkpoint and a part of the next.
        using var disk = new SmallFileSystem(size * 3 / 2 + 16384);
        var first = Save(model, optimization, step: 1, disk.Path);
        var weights = Toy.Bytes(model);

        optimization.Update(1, _ => Loss(model));
        var error = Assert.Throws<IOException>(() => Save(model, optimization, step: 2, disk.Path));
        Assert.Contains("space", error.Message, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(first, Assert.Single(Directory.GetFileSystemEntries(disk.Path)));
        Assert.Equal(first, Checkpoint.Latest(disk.Path));
        Checkpoint.Load(first, model, optimization);
        Assert.Equal(weights, Toy.Bytes(model));
    }

    private static void Refused(string checkpoint, string file, string reason, int layers, int hidden)
    {
        using var model = Toy.Model(seed: 2, layers: layers, hidden: hidden);
        using var optimization = Trained(model);
        using var scope = NewDisposeScope();
        var before = (Toy.Bytes(model), Moments(optimization), get_rng_state().data<byte>().ToArray());
        var error = Record.Exception(() => Checkpoint.Load(checkpoint, model, optimization));
        Assert.True(error is InvalidDataException or FileNotFoundException, $"{error}");
        Assert.Contains(file, error!.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.Equal(before.Item1, Toy.Bytes(model));
        Assert.Equal(before.Item2, Moments(optimization));
        Assert.Equal(before.Item3, get_rng_state().data<byte>().ToArray());
        Assert.Equal(2, optimization.Updates);
    }

    private static void Damage(string path, string? damage)
    {
        if (damage is null)
            File.Delete(path);
        else if (path.EndsWith(".json", StringComparison.Ordinal))
            File.WriteAllText(path, damage);
        else if (damage is "truncate" or "empty")
        {
            using var stream = File.OpenWrite(path);
            stream.SetLength(damage == "empty" ? 0 : stream.Length - 1);
        }
        else
        {
            using var scope = NewDisposeScope();
            (string Name, Tensor Tensor)[] tensors;
            using (var file = SafetensorsFile.Open(path))
                tensors = [.. file.Entries.Select(entry => (entry.Name, file.Read(entry.Name)))];
            SafetensorsFile.Write(
                path,
                damage switch
                {
                    "one more" => tensors.Append(("stranger", zeros(1))),
                    "negative steps" => tensors.Select(tensor =>
                        (tensor.Name, tensor.Name == "steps" ? tensor.Tensor.mul(0).sub(1) : tensor.Tensor)
                    ),
                    _ => tensors.Where(tensor => tensor.Name != "random_state"),
                }
            );
        }
    }

    // Two steps, so that moments are not 0.
    private static Optimization Trained(CausalLm model)
    {
        var optimization = new Optimization(model, new SftOptions { LearningRate = 1e-2 });
        for (int step = 0; step < 2; step++)
            optimization.Update(1, _ => Loss(model));
        return optimization;
    }

    private static Tensor Loss(CausalLm model) => model.call(Numbers.Ids(1, 20, 2, 5)).square().mean();

    private static double[][] Moments(Optimization optimization) =>
        [.. optimization.States.SelectMany(state => state.Tensors.Select(kept => Numbers.Values(kept.Tensor)))];

    private static float[] Draw()
    {
        using var numbers = rand(8);
        return [.. numbers.data<float>()];
    }

    private string Save(CausalLm model, Optimization optimization, long step, string? where = null) =>
        Checkpoint.Save(
            where ?? directory.Path,
            model,
            optimization,
            new TrainingState(TrainingState.CurrentFormat, step, optimization.Updates, 16, 5, 1.5)
        );

    private void Copy(string from, string to)
    {
        Directory.CreateDirectory(directory.File(to));
        foreach (var file in Directory.GetFiles(directory.File(from)))
            File.Copy(file, Path.Combine(directory.File(to), Path.GetFileName(file)));
    }
}
