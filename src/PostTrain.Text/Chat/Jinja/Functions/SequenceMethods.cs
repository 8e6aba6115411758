namespace PostTrain.Text.Chat.Jinja;

/// <summary>The read-only methods of lists and tuples.</summary>
internal static class SequenceMethods
{
    internal static FunctionValue? Find(SequenceValue sequence, string name) =>
        name switch
        {
            "count" => new FunctionValue(
                name,
                (run, arguments) =>
                {
                    var wanted = arguments.Bind(run, name, "value").Value(0);
                    return (long)sequence.Items.Count(item => Comparison.AreEqual(run, item, wanted));
                }
            ),
            "index" => new FunctionValue(
                name,
                (run, arguments) =>
                {
                    var wanted = arguments.Bind(run, name, "value").Value(0);
                    var place = Array.FindIndex(sequence.Items, item => Comparison.AreEqual(run, item, wanted));
                    return place >= 0
                        ? (object)(long)place
                        : throw run.Error($"{PythonRepresentation.Representation(run, wanted)} is not in the list");
                }
            ),
            _ => null,
        };
}
