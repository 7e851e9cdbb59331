SELECT require(NOT getvariable('both_lack'),
               'predictions with a helper tell the guests which rows the host has, and here neither party knows which rows are common. Predict a logistic model of reveal=own '
               || 'with lr_joint_key/predict and lr_joint_key/predict_peer');
